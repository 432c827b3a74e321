"""A fit in a slot, and where fits come from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from ridgeline.config import Config
from ridgeline.stack.records import FitResult, Row


@dataclass
class Fit:
    """A fit in a slot.

    `start` is its first tick on the logical clock; `slot` is set by the stream. `epochs` counts those of its epochs
    that have been handled on the clock; `coming` are what came in and has not: an epoch's row, with the result if it
    was the last, or a result alone, of a fit that failed within an epoch. `result` is what its worker said; `outcome`
    how it ended: with its result, pruned, or why not. `told`: how many of its epochs the source knows, more than
    `epochs` while it trains anew; `lost`: how many workers went down with it.
    """

    number: int
    config: Config
    start: int
    slot: int = -1
    epochs: int = 0
    coming: deque[tuple[Row | None, FitResult | None]] = field(default_factory=deque)
    result: FitResult | None = None
    outcome: FitResult | Pruned | str | None = None
    told: int = 0
    lost: int = 0

    def begin_anew(self) -> None:
        """Nothing that its worker said counts any more."""
        self.epochs, self.result = 0, None
        self.coming.clear()


@dataclass(frozen=True)
class Pruned:
    """The outcome of a fit that was not worth going on with."""


class Source(Protocol):
    """Where fits come from and results go. All calls come in the order of the logical clock."""

    def next(self, slot: int, tick: int) -> Fit | None:
        """The next fit, to start in this slot at this tick; None when there are no more."""

    def epoch(self, fit: Fit, row: Row) -> bool:
        """An epoch of a fit; whether to prune the fit."""

    def ended(self, fit: Fit) -> None:
        """A fit's outcome."""
