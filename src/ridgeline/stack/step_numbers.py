"""Numbers of each fit on their way to the device: those that every step has anew, as a small table in one copy, and
those that hold for longer.

K fits, R rows of a number a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Protocol

import torch
from torch import Tensor

Rows = Sequence[Sequence[float]]

KNOWN = 64
"""So many sets of numbers of the fits are kept on a device other than the CPU."""


class Needing(Protocol):
    """An effect or an optimizer that has numbers for each step."""

    numbers_RK: Tensor


class StepNumbers:
    """`table_RK` stays where it is, as long as it has as many rows: a captured step finds it there again.

    Numbers are float64 on the way, in which steps are exact, and then of the type of the weights.
    """

    def __init__(self, like: Tensor) -> None:
        self._dtype, self._device = like.dtype, like.device
        self._needing: list[tuple[Needing, int]] = []
        self.table_RK = torch.empty(0, 0, dtype=torch.float64, device=like.device)

    def bring(self, needing: Sequence[tuple[Needing, Rows]], steps_K: Sequence[int] | None = None) -> None:
        """Copy the rows that each asks for into the table, and the steps of all fits, before the step."""
        rows = list(chain(*(rows for _, rows in needing), [] if steps_K is None else [steps_K]))
        self._needing = [(each, len(own)) for each, own in needing if own]
        if not rows:
            return
        host_RK = torch.tensor(rows, dtype=torch.float64, pin_memory=self._device.type == "cuda")
        if self.table_RK.shape != host_RK.shape:
            self.table_RK = torch.empty(host_RK.shape, dtype=host_RK.dtype, device=self._device)
        self.table_RK.copy_(host_RK, non_blocking=True)

    def give(self) -> None:
        """Give each its rows, as `numbers_RK`: a part of the step."""
        if not self._needing:
            return
        numbers_RK, start = self.table_RK.to(self._dtype), 0
        for each, n in self._needing:
            each.numbers_RK = numbers_RK[start : start + n]
            start += n

    def steps_K(self) -> Tensor:
        """The steps of all fits, which were brought as the last row, as int64: a part of the step."""
        return self.table_RK[-1].to(torch.int64)


class KnownNumbers:
    """Numbers of the fits that a step does not change. Elsewhere than on a CPU a copy costs more, and most of an
    epoch's numbers are those of another one."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._known_K: dict[tuple[float, ...], Tensor] = {}

    def on_device(self, values: Sequence[float]) -> Tensor:
        """A number a fit, in the type of the weights; the caller's own."""
        like = self._like
        if like.device.type == "cpu":
            return torch.tensor(values, dtype=like.dtype)
        known = tuple(values)
        if known not in self._known_K:
            if len(self._known_K) >= KNOWN:
                self._known_K.clear()
            self._known_K[known] = torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)
        return self._known_K[known].clone()
