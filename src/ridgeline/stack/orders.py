"""Orders of the examples, a fit's each, drawn by a thread while the epoch before trains.

K fits, N examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.networks.stacking.noise import order_N_
from ridgeline.stack.records import FitRecord

Clock = tuple[int, int]
"""A fit's seed and its own epoch, of which its order is a function: who draws it, and when, changes nothing."""


class Orders:
    """Of `n` examples in each of so many folds. Off the CPU they are half as large, and reach the device in one copy
    that nobody waits for."""

    def __init__(self, device: torch.device, n: int, folds: int) -> None:
        self._device, self._n, self._folds = device, n, folds
        self._ahead: tuple[Thread, list[Clock | None], Tensor] | None = None

    def of(self, configs: Sequence[Config], records: Sequence[FitRecord]) -> Tensor:
        """(K, N) The orders of the epoch that comes: each fit's among the rows of its own fold."""
        fits = list(zip(configs, records, strict=True))
        order_KN = self.take([(config.seed, record.epoch) for config, record in fits], [_coming(*fit) for fit in fits])
        if self._folds > 1:
            first_F1 = self._n * torch.arange(self._folds, device=order_KN.device).unsqueeze(1)
            order_KN += first_F1.repeat(len(fits) // self._folds, 1)
        return order_KN

    def take(self, clocks: Sequence[Clock], coming: Sequence[Clock | None]) -> Tensor:
        """(K, N) The orders of an epoch. `coming`: what the next one will ask for, as far as that is known; a fit that
        has taken another's place by then gets its order then."""
        drawn, order_KN = self._drawn(len(clocks))
        for order_N, clock, own in zip(order_KN, clocks, drawn, strict=True):
            if clock != own:
                order_N_(torch.Generator(), *clock, order_N)
        self._ahead = None
        if any(coming):
            ahead_KN = self._empty(len(coming))
            thread = Thread(target=_draw, args=(ahead_KN, list(coming)), name="orders")
            thread.start()
            self._ahead = thread, list(coming), ahead_KN
        return order_KN.to(self._device, non_blocking=True)

    def _drawn(self, k: int) -> tuple[Sequence[Clock | None], Tensor]:
        """What was drawn ahead, and of which clocks."""
        if self._ahead is None:
            return [None] * k, self._empty(k)
        thread, clocks, order_KN = self._ahead
        thread.join()
        return clocks, order_KN

    def _empty(self, k: int) -> Tensor:
        """On CUDA in memory from which it is copied while the host goes on; torch keeps it until it is copied."""
        dtype = torch.int64 if self._device.type == "cpu" else torch.int32
        return torch.empty(k, self._n, dtype=dtype, pin_memory=self._device.type == "cuda")


def _coming(config: Config, record: FitRecord) -> Clock | None:
    """Of the next epoch the fit's clock; None: it will have ended."""
    if record.end is not None:  # until another fit takes its place it trains the same again
        return config.seed, record.epoch
    return None if record.epoch + 1 == config.trainer.max_epochs else (config.seed, record.epoch + 1)


def _draw(order_KN: Tensor, clocks: Sequence[Clock | None]) -> None:
    generator = torch.Generator()  # of this thread alone
    for order_N, clock in zip(order_KN, clocks, strict=True):
        if clock is not None:
            order_N_(generator, *clock, order_N)
