"""Trials an hour against K, a line a network or a number of examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ridgeline.report.axes import DPI, log_axis

COLOURS = ("#1f77b4", "#2ca02c", "#d62728")
GREY = "#444444"
MARKS: dict[str, dict[str, Any]] = {
    "k_that_fills_the_private_cache": {
        "marker": "|",
        "markersize": 16,
        "markeredgewidth": 2,
        "label": "a step fills the core's own cache (no mark: one fit alone does)",
    },
    "k_by_default": {"marker": "s", "markersize": 6, "label": "K that the launcher chooses at most"},
    "stops_paying_at_k": {
        "marker": "o",
        "markersize": 11,
        "fillstyle": "none",
        "label": "stops paying: no larger K gains 5% a doubling",
    },
}
PANELS = {"digits": "digits, 64-h-h-10, 1078 examples", "mnist": "MNIST, 784-128-10, n examples"}


def draw(report: Mapping[str, Any]) -> Figure:
    """A panel for each data set."""
    panels = [data for data in PANELS if any(line["data"] == data for line in report["lines"].values())]
    figure = Figure(figsize=(4.8 * len(panels), 4.2), dpi=DPI, layout="constrained")
    for axes, data in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        lines = {name: line for name, line in report["lines"].items() if line["data"] == data}
        for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
            _draw_line(axes, colour, name, line)
        sizes = next(iter(lines.values()))["k"]
        log_axis(axes, "y")
        axes.set_xscale("log", base=2)
        axes.set_xlim(0.85 * sizes[0], 3 * sizes[-1])  # room for the lines' names
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set(title=PANELS[data], xlabel="K, trials in the stack", ylabel="trials an hour, one core")
        axes.title.set_fontsize("medium")
        axes.grid(alpha=0.3)
    figure.legend(
        handles=[Line2D([], [], color=GREY, linestyle="none", **style) for style in MARKS.values()],
        loc="outside lower center",
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    return figure


def _draw_line(axes: Axes, colour: str, name: str, line: Mapping[str, Any]) -> None:
    sizes, rates = line["k"], line["trials_an_hour"]
    axes.plot(sizes, rates, color=colour, marker="o", markersize=3)
    axes.annotate(
        name, (sizes[-1], rates[-1]), (7, 0), textcoords="offset points", va="center", fontsize="small", color=colour
    )
    for key, style in MARKS.items():
        k = line[key]
        if k is not None and sizes[0] <= k <= sizes[-1]:
            rate = np.exp(np.interp(np.log(k), np.log(sizes), np.log(rates)))
            axes.plot([k], [rate], color=colour, linestyle="none", **style)
