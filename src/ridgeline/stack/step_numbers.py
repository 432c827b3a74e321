"""The numbers of each fit that every step has anew, as a small table that reaches the device in one copy.

K fits, R rows of a number a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Protocol

import torch
from torch import Tensor

Rows = Sequence[Sequence[float]]


class Needing(Protocol):
    """An effect or an optimizer that has numbers for each step."""

    numbers_RK: Tensor


class StepNumbers:
    """On the device the table stays where it is, as long as it has as many rows: a captured step finds it there again.

    Numbers are float64 on the way, in which steps are exact, and then of the type of the weights.
    """

    def __init__(self, like: Tensor) -> None:
        self._dtype, self._device = like.dtype, like.device
        self._table_RK = torch.empty(0, 0, dtype=torch.float64, device=like.device)

    def bring(self, needing: Sequence[tuple[Needing, Rows]], steps_K: Sequence[int] | None = None) -> Tensor | None:
        """Give each the rows that it asks for, as `numbers_RK`. `steps`: to be had as int64 on the device too."""
        needing = [(each, rows) for each, rows in needing if rows]
        rows = list(chain(*(rows for _, rows in needing), [] if steps_K is None else [steps_K]))
        if not rows:
            return None
        table_RK = self._on_device(rows)
        numbers_RK, start = table_RK.to(self._dtype), 0
        for each, own in needing:
            each.numbers_RK = numbers_RK[start : start + len(own)]
            start += len(own)
        return None if steps_K is None else table_RK[-1].to(torch.int64)

    def _on_device(self, rows: Rows) -> Tensor:
        if self._device.type == "cpu":
            return torch.tensor(rows, dtype=torch.float64)
        host_RK = torch.tensor(rows, dtype=torch.float64, pin_memory=self._device.type == "cuda")
        if self._table_RK.shape != host_RK.shape:
            self._table_RK = torch.empty(host_RK.shape, dtype=host_RK.dtype, device=self._device)
        return self._table_RK.copy_(host_RK, non_blocking=True)
