"""Some images at a time, however large they are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BYTES = 1 << 24
"""Of pixels that are in memory at a time."""


def chunk_size(n_features: int) -> int:
    """How many images of so many bytes."""
    return max(1, min(4096, BYTES // n_features))


def chunks(rows: np.ndarray, n_features: int) -> Iterator[np.ndarray]:
    """The rows in their order."""
    size = chunk_size(n_features)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
