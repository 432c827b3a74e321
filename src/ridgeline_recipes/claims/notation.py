"""Numbers with their intervals, as the sentences of claims have them."""

from __future__ import annotations

from ridgeline import Estimate


def percent(found: Estimate, digits: int = 1) -> str:
    """`61.2% [60.1, 62.3]`."""
    return f"{100 * found.mean:.{digits}f}% [{100 * found.low:.{digits}f}, {100 * found.high:.{digits}f}]"


def points(found: Estimate) -> str:
    """A difference of shares, in points of %: `-1.25 points [-1.90, -0.60]`."""
    return f"{100 * found.mean:+.2f} points [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


def number(found: Estimate, style: str = ".3g") -> str:
    """`0.412 [0.39, 0.43]`."""
    return f"{found.mean:{style}} [{found.low:{style}}, {found.high:{style}}]"
