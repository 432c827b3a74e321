"""Batches of K fits: positions into tensors that already lie on the device.

K fits, B batch, N examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from ridgeline.data import Split


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
    """Yields slices that cover the rows of each fold of a split, all fits alike: for evaluation.

    The last rows are slices of their own where not every fold has them: so a slice is of examples of a fold, or fills
    it up.
    """

    def __init__(self, split: Split, batch_size: int) -> None:
        ends = sorted({*split.sizes, split.n})
        self._slices = [
            slice(start, min(start + batch_size, end))
            for begin, end in zip([0, *ends], ends, strict=False)
            for start in range(begin, end, batch_size)
        ]

    def __len__(self) -> int:
        return len(self._slices)

    def __iter__(self) -> Iterator[slice]:
        return iter(self._slices)
