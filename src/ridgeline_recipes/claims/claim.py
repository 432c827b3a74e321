"""A claim with what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure


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
