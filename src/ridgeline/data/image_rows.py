"""Images as rows of features: one channel after the other, each row by row.

N examples, I features; images of C channels, H rows and W columns.
"""

from __future__ import annotations

import numpy as np

ImageShape = tuple[int, int, int]
"""(C, H, W)."""

COLOURS = (1, 3, 4)
"""Channels that images have whose last axis they are: grey, red-green-blue, and these with alpha."""


def as_rows(x: np.ndarray) -> tuple[np.ndarray, ImageShape | None]:
    """(N, I) of (N, I), (N, H, W), (N, C, H, W) or (N, H, W, C), and what an image is; None: rows are no images."""
    if x.ndim == 2:
        return x, None
    if x.ndim == 3:
        x = x[:, np.newaxis]
    elif has_channels_last(x.shape):
        x = x.transpose(0, 3, 1, 2)
    _, n_channels, height, width = x.shape
    return np.ascontiguousarray(x.reshape(len(x), -1)), (n_channels, height, width)


def has_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether four axes are (N, H, W, C): so they are if the last has as many values as an image has colours, and the
    second has not."""
    return len(shape) == 4 and shape[3] in COLOURS and shape[1] not in COLOURS
