"""IDX, the format of MNIST's files: two zeros, 8 for bytes, how many axes, each size (big-endian int32), the bytes."""

from __future__ import annotations

import math

import numpy as np

START = b"\0\0\x08"
"""Of the bytes of a file whose values are bytes, the only ones that there are."""


def shape_in(head: bytes) -> tuple[int, ...] | None:
    """The sizes of the axes, from the first bytes; None: it is no IDX file of bytes."""
    end = 4 + 4 * (head[3] if len(head) > 3 else 0)
    if head[:3] != START or len(head) < end:
        return None
    return tuple(int(size) for size in np.frombuffer(head[4:end], ">i4"))


def parse_idx(content: bytes) -> np.ndarray:
    """The array, in the memory of `content`. Raises ValueError with what a file breaks: `has 24 bytes (it has 20)`."""
    shape = shape_in(content)
    if shape is None:
        raise ValueError("is an IDX file of bytes")
    start = 4 + 4 * len(shape)
    size = start + math.prod(shape)
    if len(content) != size:
        raise ValueError(f"has {size} bytes (it has {len(content)})")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
