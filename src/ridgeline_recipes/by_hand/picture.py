"""Two networks that should be the same, side by side. G points along each axis of a grid, N examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ridgeline import DPI

COLOURS = "#1f77b4", "#d62728"
"""The colours of the two classes."""
SHADES = LinearSegmentedColormap.from_list("classes", ["#8fbfe0", "white", "#efa3a3"])


@dataclass(frozen=True)
class Side:
    """`p`: the probability of class 1 over the grid, first axis y. `costs`: J before each step."""

    name: str
    p_GG: np.ndarray
    costs: Sequence[float]


def boundaries(
    sides: Sequence[Side], x_G: np.ndarray, y_G: np.ndarray, x_N2: np.ndarray, y_N: np.ndarray, difference: float
) -> Figure:
    """A panel a network: the probability as colour, the line where it is 1/2, the points that it learned from; then
    J by step."""
    figure = Figure(figsize=(12.5, 4.1), dpi=DPI, layout="constrained")
    *maps, curves = figure.subplots(1, len(sides) + 1)
    for axes, side in zip(maps, sides, strict=True):
        axes.pcolormesh(x_G, y_G, side.p_GG, cmap=SHADES, vmin=0, vmax=1, rasterized=True)
        axes.contour(x_G, y_G, side.p_GG, levels=[0.5], colors="black", linewidths=1.5)
        for label, colour in enumerate(COLOURS):
            axes.scatter(*x_N2[y_N == label].T, s=16, color=colour, edgecolors="white", linewidths=0.5)
        axes.set(title=side.name, xlabel="feature 1 (standardized)", ylabel="feature 2 (standardized)")
    first, second = sides
    steps = np.arange(1, len(first.costs) + 1)
    curves.plot(steps, first.costs, color="#f2b134", linewidth=3.5, label=first.name)
    curves.plot(steps, second.costs, color="black", linewidth=0.7, label=second.name)
    curves.set(title="J before each step", xlabel="step", ylabel="J", xscale="log")
    curves.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    curves.set_ylim(bottom=0)
    curves.legend()
    curves.grid(alpha=0.3)
    figure.suptitle(f"Largest difference of a weight: {difference:.1e}", fontsize="medium")
    return figure
