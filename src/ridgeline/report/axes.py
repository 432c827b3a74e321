"""How axes look in every picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ridgeline.report.notation import tick

DPI = 100
LOG_RATIO = 20
"""Values that span more than this factor get a logarithmic axis."""


def needs_log(values: Sequence[float]) -> bool:
    """Whether the values, NaN and infinities aside, are positive and span a large factor."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > LOG_RATIO * min(finite)


def number_axis(axes: Axes, which: str, values: Sequence[float] | None = None) -> None:
    """Sensible ticks; logarithmic if the values span a large factor. `which`: x or y."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if values is not None and needs_log(values):
        log_axis(axes, which)
    else:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))


def count_axis(axes: Axes, which: str = "x") -> None:
    """Ticks at whole numbers: epochs, trials."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def log_axis(axes: Axes, which: str) -> None:
    """Logarithmic, with a label at each power of ten, or at 1, 2 and 5 of each where there are few powers."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    is_short = low > 0 and high / low < 300
    axis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if is_short else (1,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axis.set_minor_formatter(NullFormatter())
