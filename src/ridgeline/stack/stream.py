"""Fits flow through the slots of all workers on a logical clock: a slot that is free takes the next fit at once.

The e-th epoch of a fit in slot s that starts at tick t is at (t + e, s) on the clock, and where the fit ends, the
slot's next fit starts. Epochs and ends are handled in this order, whichever worker is faster: an epoch waits until no
other fit's can still come before it. So what a search knows when it chooses or prunes a fit does not depend on the wall
clock, and a stream that was broken off and is taken up again chooses the same.

Faults are handled at once. Fits whose worker is gone train anew in their places. Those of a stack that broke end with
the reason. A stack that does not fit into memory, or that is gone a second time, goes on as half of its slots, and the
fits of the others are the next to get a slot.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ridgeline.stack.garbage import search_garbage_as_usual
from ridgeline.stack.interrupts import Interrupts
from ridgeline.stack.messages import Broken, Epoch, Gone, TooLarge
from ridgeline.stack.records import Row
from ridgeline.stack.source import Fit, Pruned, Source
from ridgeline.stack.workers import Workers

log = logging.getLogger(__name__)


class Stream:
    """Slot s belongs to worker s modulo the number of workers."""

    def __init__(self, pool: Workers, source: Source) -> None:
        self._pool, self._source = pool, source
        self._fits: dict[int, Fit] = {}
        self._positions: list[list[int]] = [[] for _ in range(len(pool))]
        self._postponed: list[Fit] = []
        self._drained: set[int] = set()
        self._exhausted = False
        self._interrupts = Interrupts()
        self.idle = 0.0
        """Seconds that workers waited for fits, all workers together."""

    def run(self, running: Mapping[int, Fit], free: Mapping[int, int]) -> None:
        """Until nothing is left. `running`: fits to train anew in the slots they had; `free`: slots and since when."""
        for slot, fit in running.items():
            self._fits[slot], fit.slot = fit, slot
        with self._interrupts.held():
            for tick, slot in sorted((tick, slot) for slot, tick in free.items()):
                self._interrupts.check()
                self._choose(slot, tick)
            for worker in range(len(self._pool)):
                self._begin(worker, [slot for slot in sorted(self._fits) if self._worker(slot) == worker])
            search_garbage_as_usual()
            while self._fits:
                with self._interrupts.allowed():
                    messages = self._pool.receive()
                for worker, message in messages:
                    if isinstance(message, Epoch):
                        self._take(message)
                    else:
                        self._mend(worker, message)
                self._settle()

    def _take(self, message: Epoch) -> None:
        """What it says of fits that were given up is of no interest any more."""
        self.idle += message.idle
        for fit in self._fits.values():
            row, result = message.rows.get(fit.number), message.ended.get(fit.number)
            if row is not None or result is not None:
                fit.coming.append((row, result))
            fit.result = fit.result or result

    def _settle(self) -> None:
        """Handle every epoch whose turn it is."""
        while self._fits:
            self._interrupts.check()
            slot = min(self._fits, key=lambda slot: (self._fits[slot].start + self._fits[slot].epochs, slot))
            fit = self._fits[slot]
            if not fit.coming:
                return
            row, result = fit.coming.popleft()
            prune = row is not None and self._tell(fit, row)
            fit.outcome = result or (Pruned() if prune else None)
            if fit.outcome is not None:
                self._end(slot)

    def _tell(self, fit: Fit, row: Row) -> bool:
        """Hand the next epoch over; whether the fit is to be pruned."""
        fit.epochs += 1
        if fit.epochs <= fit.told:
            return False
        fit.told = fit.epochs
        return self._source.epoch(fit, row)

    def _end(self, slot: int) -> None:
        fit, worker = self._fits.pop(slot), self._worker(slot)
        self._source.ended(fit)
        position = self._positions[worker].index(slot)
        if self._choose(slot, fit.start + fit.epochs):
            self._pool.load(worker, position, self._fits[slot].number, self._fits[slot].config)
        elif fit.result is None:
            self._pool.stop(worker, position)

    def _mend(self, worker: int, fault: Broken | TooLarge | Gone) -> None:
        size, slots = len(self._positions[worker]), [slot for slot in self._positions[worker] if slot in self._fits]
        self._positions[worker] = []
        self._drained.discard(worker)
        if not slots:
            return
        for slot in slots if isinstance(fault, Gone) else []:
            self._fits[slot].lost += 1
        again = isinstance(fault, Gone) and all(self._fits[slot].lost < 2 for slot in slots)
        if again:
            log.warning(f"A stack of {len(slots)} trains anew: {fault.reason}.")
            self._begin(worker, slots)
        elif size > 1 and not isinstance(fault, Broken):
            log.warning(f"A stack of {size} goes on as one of {size // 2}: {fault.reason}.")
            self._postponed += [self._fits.pop(slot) for slot in slots[size // 2 :]]
            self._begin(worker, slots[: size // 2])
        else:
            self._give_up(worker, slots, fault.reason)

    def _give_up(self, worker: int, slots: list[int], reason: str) -> None:
        """The fits of a stack end with it, out of turn; a new stack takes the next."""
        for slot in slots:
            fit = self._fits[slot]
            for row, _ in fit.coming:
                if row is not None:
                    self._tell(fit, row)
            fit.outcome = fit.result or reason
            self._source.ended(self._fits.pop(slot))
            self._choose(slot, fit.start + fit.epochs)
        self._begin(worker, slots)

    def _choose(self, slot: int, tick: int) -> bool:
        """Put a fit into a free slot, one that was postponed first; whether there was one."""
        if self._worker(slot) in self._drained:
            return False
        fit = self._postponed.pop(0) if self._postponed else self._next(slot, tick)
        if fit is None:
            for worker in range(len(self._pool)):
                self._drain(worker)
            return False
        fit.begin_anew()
        fit.start, fit.slot = tick, slot
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
            fit.begin_anew()
        self._pool.begin(worker, {fit.number: fit.config for fit in fits})
        if self._exhausted and not self._postponed:
            self._drain(worker)

    def _drain(self, worker: int) -> None:
        if self._positions[worker] and worker not in self._drained:
            self._drained.add(worker)
            self._pool.drain(worker)

    def _worker(self, slot: int) -> int:
        return slot % len(self._pool)
