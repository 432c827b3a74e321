"""Batches of K fits: positions into tensors that already lie on the device.

K fits, B batch, N examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor


class Batches:
    """Yields positions (K, B) of an epoch; `order` is asked for its (K, N) each time. The last batch may be short."""

    def __init__(self, order: Callable[[], Tensor], n: int, batch_size: int) -> None:
        self._order = order
        self._n = n
        self._batch_size = min(batch_size, n)

    def __len__(self) -> int:
        return -(-self._n // self._batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order_KN = self._order()
        yield from order_KN.split(self._batch_size, dim=1)


class Slices:
    """Yields slices that cover N examples, all fits alike: for evaluation."""

    def __init__(self, n: int, batch_size: int) -> None:
        self._n = n
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-self._n // self._batch_size)

    def __iter__(self) -> Iterator[slice]:
        for start in range(0, self._n, self._batch_size):
            yield slice(start, min(start + self._batch_size, self._n))
