"""Means with 95% intervals along one setting, in panels side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ridgeline import DPI, log_axis

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")
STYLES = ("-", "--", ":")
BASELINE = "#444444"
SHARE = (0.0, 1.0)
"""Bounds of a share."""
SIZE = (0.0, math.inf)
"""Bounds of what cannot be negative."""


class Interval(Protocol):
    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True)
class Panel:
    """`lines`: by label, an interval for each of `x`. `levels`: what has no place on the axis, as the baseline
    on an axis of strengths that is logarithmic. `marks`: values of x to point out, by label. `bounds`: what the values
    cannot leave, which intervals are cut at. `zero`: the vertical axis begins there."""

    xlabel: str
    ylabel: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[Interval]]
    levels: Mapping[str, Interval] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    bounds: tuple[float, float] = (-math.inf, math.inf)
    log_x: bool = True
    log_y: bool = False
    zero: bool = False
    scale: float = 1.0


def sweep_figure(panels: Sequence[Panel], title: str) -> Figure:
    """A panel each; bands and bars are 95% intervals."""
    figure = Figure(figsize=(5.2 * len(panels), 4.2), dpi=DPI, layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw(axes, panel)
    figure.suptitle(title, fontsize="medium")
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    s, (floor, ceiling) = panel.scale, panel.bounds
    for i, (label, line) in enumerate(panel.lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        lows, highs = ([s * min(max(getattr(one, end), floor), ceiling) for one in line] for end in ("low", "high"))
        means = [s * one.mean for one in line]
        (drawn,) = axes.plot(
            panel.x, means, STYLES[i % len(STYLES)], color=colour, linewidth=2.0 - 0.4 * i, label=label
        )
        drawn.set(marker="o", markersize=5 - i)
        axes.fill_between(panel.x, lows, highs, color=colour, alpha=0.2, linewidth=0)
    for i, (label, level) in enumerate(panel.levels.items()):
        colour = BASELINE if i == 0 else COLOURS[len(panel.lines) % len(COLOURS)]
        axes.axhline(s * level.mean, color=colour, linestyle="--", linewidth=1.2, label=label)
        axes.axhspan(s * max(level.low, floor), s * min(level.high, ceiling), color=colour, alpha=0.1, linewidth=0)
    for label, x in panel.marks.items():
        axes.axvline(x, color=BASELINE, linestyle=":", linewidth=1.2, label=label)
    if panel.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if panel.log_y:
        log_axis(axes, "y")
        means = [s * one.mean for line in panel.lines.values() for one in line if one.mean > 0]
        axes.set_ylim(bottom=min(means) / 1.5)
    if panel.zero:
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
    axes.set(xlabel=panel.xlabel, ylabel=panel.ylabel)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
