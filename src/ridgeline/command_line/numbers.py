"""Numbers as people read them: the one place that says how many digits a number gets."""

from __future__ import annotations

import math
from typing import Any

LEAST_WHOLE, LARGEST_WHOLE = 1e3, 1e9
"""Between them a number is written with all of its digits before the point, and none after it."""


def number(value: Any) -> str:
    """Four significant digits of a float, the whole ones of one in thousands; `-` for nothing; else as it is."""
    if value is None:
        return "-"
    return digits(value) if isinstance(value, float) else str(value)


def digits(value: float, *, sign: str = "", aligned: bool = False) -> str:
    """Four significant digits, or all of a whole number: 28430 and not 2.843e+04, as nobody writes a price.

    `sign`: `+` shows that of a positive number. `aligned`: with zeros at the end.
    """
    if LEAST_WHOLE <= abs(value) < LARGEST_WHOLE:
        return f"{value:{sign}.0f}"
    return f"{value:{sign}{'#' if aligned else ''}.4g}"


def short(value: float) -> str:
    """A number for a name, with few digits: `1.8e-3`, `0.03`, `128`."""
    if not math.isfinite(value) or value == 0 or (value.is_integer() and abs(value) < 1e5):
        return f"{value:.0f}"
    if 0.01 <= abs(value) < 1000:
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def chance(p_value: float) -> str:
    """A p-value: `p = 0.034`."""
    return "p < 0.0001" if p_value < 1e-4 else f"p = {p_value:.2g}"
