"""A claim with what was measured of it, and how its sentences write a number with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from ridgeline import Estimate


@dataclass(frozen=True)
class Claim:
    """`holds_if`: the rule, which was there before the numbers. `measured`: those that decide, in a sentence.

    `setting`: what was trained. `pictures`: by file name, each with what it shows. `numbers`: all, in plain values.
    """

    name: str
    sentence: str
    holds_if: str
    verdict: str
    measured: str
    setting: str
    pictures: Mapping[str, tuple[Figure, str]] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)


def percent(found: Estimate, digits: int = 1) -> str:
    """`61.2% [60.1, 62.3]`."""
    return f"{100 * found.mean:.{digits}f}% [{100 * found.low:.{digits}f}, {100 * found.high:.{digits}f}]"


def points(found: Estimate) -> str:
    """A difference of shares, in points of %: `-1.25 points [-1.90, -0.60]`."""
    return f"{100 * found.mean:+.2f} points [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


def number(found: Estimate, style: str = ".3g") -> str:
    """`0.412 [0.39, 0.43]`."""
    return f"{found.mean:{style}} [{found.low:{style}}, {found.high:{style}}]"
