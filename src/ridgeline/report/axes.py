"""How axes look in every picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

DPI = 100
LOG_RATIO = 20
"""Values that span more than this factor get a logarithmic axis."""


def needs_log(values: Sequence[float]) -> bool:
    """Whether the values, NaN and infinities aside, are positive and span a large factor."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > LOG_RATIO * min(finite)


def make_log(axes: Axes) -> None:
    """A logarithmic y axis with labels at 1, 2 and 5: two powers of ten alone say little."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""))
