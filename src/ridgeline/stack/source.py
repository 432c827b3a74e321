"""A fit in a slot, and where fits come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ridgeline.config import Config
from ridgeline.stack.records import FitResult, Row


@dataclass
class Fit:
    """A fit in a slot. `start` is its first tick, `told` how many of its epochs the source knows, `outcome` its result,
    or why its stack broke."""

    number: int
    config: Config
    start: int
    epochs: int = 0
    told: int = 0
    outcome: FitResult | str | None = None


class Source(Protocol):
    """Where fits come from and results go."""

    def next(self, slot: int, tick: int) -> Fit | None:
        """The next fit, to start in this slot at this tick; None when there are no more."""

    def epoch(self, fit: Fit, row: Row) -> None:
        """An epoch of a fit, as soon as it is known."""

    def ended(self, fit: Fit) -> None:
        """A fit's outcome, in the order of the logical clock."""
