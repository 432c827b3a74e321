"""Fits flow through the slots of all workers on a logical clock: a slot that is free takes the next fit at once.

A fit in slot s that starts at tick t and trains e epochs ends at tick t + e, and the slot's next fit starts there. Ends
are handled in the order of (tick, slot), whichever worker is faster: an end waits until no other fit can still end
before it. So what a search knows when it chooses a fit does not depend on the wall clock, and a stream that was broken
off and is taken up again chooses the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ridgeline.config import Config
from ridgeline.stack.pool import Pool
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.worker import Epoch


@dataclass
class Fit:
    """A fit in a slot. `start` is its first tick; `outcome` its result, or why its stack broke."""

    number: int
    config: Config
    start: int
    epochs: int = 0
    outcome: FitResult | str | None = None


class Source(Protocol):
    """Where fits come from and results go."""

    def next(self, slot: int, tick: int) -> Fit | None:
        """The next fit, to start in this slot at this tick; None when there are no more."""

    def epoch(self, fit: Fit, row: Row) -> None:
        """An epoch of a fit, as soon as it is known."""

    def ended(self, fit: Fit) -> None:
        """A fit's outcome, in the order of the logical clock."""


class Stream:
    """Slot s belongs to worker s modulo the number of workers."""

    def __init__(self, pool: Pool, source: Source) -> None:
        self._pool, self._source = pool, source
        self._fits: dict[int, Fit] = {}
        self._positions: list[list[int]] = [[] for _ in range(len(pool))]
        self._exhausted = False

    def run(self, running: Mapping[int, Fit], free: Mapping[int, int]) -> None:
        """Until nothing is left. `running`: fits to train anew in the slots they had; `free`: slots and since when."""
        self._fits.update(running)
        for tick, slot in sorted((tick, slot) for slot, tick in free.items()):
            self._choose(slot, tick)
        for worker in range(len(self._pool)):
            self._begin(worker, [slot for slot in sorted(self._fits) if self._worker(slot) == worker])
        while self._fits:
            for worker, message in self._pool.receive():
                if isinstance(message, Epoch):
                    self._take(worker, message)
                else:
                    self._start_again(worker, message.reason)
            self._settle()

    def _start_again(self, worker: int, reason: str) -> None:
        """A stack broke: its fits end at once, out of turn, for no clock orders faults; a new stack takes the next."""
        slots = [slot for slot in self._positions[worker] if slot in self._fits]
        for slot in slots:
            fit = self._fits.pop(slot)
            fit.outcome = fit.outcome or reason
            self._source.ended(fit)
            self._choose(slot, fit.start + fit.epochs)
        self._begin(worker, [slot for slot in slots if slot in self._fits])

    def _take(self, worker: int, message: Epoch) -> None:
        for position, row in message.rows.items():
            fit = self._fits[self._positions[worker][position]]
            fit.epochs += 1
            self._source.epoch(fit, row)
        for position, result in message.ended.items():
            self._fits[self._positions[worker][position]].outcome = result

    def _settle(self) -> None:
        """Handle every end whose turn it is, and refill its slot."""
        while (slot := self._first_end()) is not None:
            fit = self._fits.pop(slot)
            self._source.ended(fit)
            if self._choose(slot, fit.start + fit.epochs):
                worker = self._worker(slot)
                self._pool.load(worker, self._positions[worker].index(slot), self._fits[slot].config)

    def _first_end(self) -> int | None:
        """The slot whose fit ends first on the logical clock, if no fit that still trains can end before it."""
        ends = [(fit.start + fit.epochs, slot) for slot, fit in self._fits.items() if fit.outcome is not None]
        if not ends:
            return None
        first = min(ends)
        for slot, fit in self._fits.items():
            if fit.outcome is None and (fit.start + fit.epochs + 1, slot) < first:
                return None
        return first[1]

    def _choose(self, slot: int, tick: int) -> bool:
        fit = None if self._exhausted else self._source.next(slot, tick)
        if fit is None:
            if not self._exhausted:
                self._exhausted = True
                for worker, slots in enumerate(self._positions):
                    if slots:
                        self._pool.drain(worker)
            return False
        self._fits[slot] = fit
        return True

    def _begin(self, worker: int, slots: list[int]) -> None:
        self._positions[worker] = slots
        if not slots:
            return
        self._pool.begin(worker, {position: self._fits[slot].config for position, slot in enumerate(slots)})
        if self._exhausted:
            self._pool.drain(worker)

    def _worker(self, slot: int) -> int:
        return slot % len(self._pool)
