"""Fits flow through the slots of all workers on a logical clock: a slot that is free takes the next fit at once.

A fit in slot s that starts at tick t and trains e epochs ends at tick t + e, and the slot's next fit starts there. Ends
are handled in the order of (tick, slot), whichever worker is faster: an end waits until no other fit can still end
before it. So what a search knows when it chooses a fit does not depend on the wall clock, and a stream that was broken
off and is taken up again chooses the same.

Faults are handled at once, out of turn, for no clock orders them: the fits of a stack that broke end with the reason; a
stack that does not fit into memory goes on as half of its slots, and the fits of the others are the next to get a slot.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ridgeline.stack.messages import Broken, Epoch, TooLarge
from ridgeline.stack.pool import Pool
from ridgeline.stack.source import Fit, Source

log = logging.getLogger(__name__)


class Stream:
    """Slot s belongs to worker s modulo the number of workers."""

    def __init__(self, pool: Pool, source: Source) -> None:
        self._pool, self._source = pool, source
        self._fits: dict[int, Fit] = {}
        self._positions: list[list[int]] = [[] for _ in range(len(pool))]
        self._postponed: list[Fit] = []
        self._drained: set[int] = set()
        self._exhausted = False
        self.idle = 0.0
        """Seconds that workers waited for fits, all workers together."""

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
                elif isinstance(message, TooLarge) and len(self._positions[worker]) > 1:
                    self._split(worker)
                else:
                    self._start_again(worker, message)
            self._settle()

    def _start_again(self, worker: int, fault: Broken | TooLarge) -> None:
        """The fits of a stack end with it; a new stack takes the next."""
        for slot in (slots := self._leave(worker)):
            fit = self._fits.pop(slot)
            fit.outcome = fit.outcome or fault.reason
            self._source.ended(fit)
            self._choose(slot, fit.start + fit.epochs)
        self._begin(worker, slots)

    def _split(self, worker: int) -> None:
        """Half of a stack's slots start again; the others are given up, their fits postponed."""
        size = len(self._positions[worker])
        log.warning(f"{size} fits at once do not fit into a worker's memory: it goes on with {size // 2}.")
        slots = self._leave(worker)
        kept, given_up = slots[: size // 2], slots[size // 2 :]
        ended = {slot: self._fits.pop(slot) for slot in slots if self._fits[slot].outcome is not None}
        self._postponed += [self._fits.pop(slot) for slot in given_up if slot in self._fits]
        for slot, fit in ended.items():
            self._source.ended(fit)
            if slot in kept:
                self._choose(slot, fit.start + fit.epochs)
        self._begin(worker, kept)

    def _leave(self, worker: int) -> list[int]:
        """The slots of a stack that is gone in which fits were."""
        slots = [slot for slot in self._positions[worker] if slot in self._fits]
        self._positions[worker] = []
        self._drained.discard(worker)
        return slots

    def _take(self, worker: int, message: Epoch) -> None:
        self.idle += message.idle
        for position, row in message.rows.items():
            fit = self._fits[self._positions[worker][position]]
            fit.epochs += 1
            if fit.epochs > fit.told:
                fit.told = fit.epochs
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
        """Put a fit into a free slot, one that was postponed first; whether there was one."""
        if self._worker(slot) in self._drained:
            return False
        fit = self._postponed.pop(0) if self._postponed else self._next(slot, tick)
        if fit is None:
            for worker in range(len(self._pool)):
                self._drain(worker)
            return False
        fit.start, fit.epochs = tick, 0
        self._fits[slot] = fit
        return True

    def _next(self, slot: int, tick: int) -> Fit | None:
        fit = None if self._exhausted else self._source.next(slot, tick)
        self._exhausted = fit is None
        return fit

    def _begin(self, worker: int, slots: list[int]) -> None:
        """Start a stack with the fits in these slots; one without a fit is left out."""
        self._positions[worker] = [slot for slot in slots if slot in self._fits]
        if not self._positions[worker]:
            return
        fits = [self._fits[slot] for slot in self._positions[worker]]
        for fit in fits:
            fit.epochs = 0
        self._pool.begin(worker, {position: fit.config for position, fit in enumerate(fits)})
        if self._exhausted and not self._postponed:
            self._drain(worker)

    def _drain(self, worker: int) -> None:
        if self._positions[worker] and worker not in self._drained:
            self._drained.add(worker)
            self._pool.drain(worker)

    def _worker(self, slot: int) -> int:
        return slot % len(self._pool)
