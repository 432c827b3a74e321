"""Images as rows of features: one channel after the other, each row by row.

N examples, I features; images of C channels, H rows and W columns.
"""

from __future__ import annotations

import math

import numpy as np

from ridgeline.tables.files import BadTable

ImageShape = tuple[int, int, int]
"""(C, H, W)."""

COLOURS = (1, 3, 4)
"""Channels that images have whose last axis they are: grey, red-green-blue, and these with alpha."""


def as_rows(x: np.ndarray) -> tuple[np.ndarray, ImageShape | None]:
    """(N, I) of (N, I), (N, H, W), (N, C, H, W) or (N, H, W, C), and what an image is; None: rows are no images."""
    shape = shape_of_rows(x.shape)
    if has_channels_last(x.shape):
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return x.reshape(len(x), -1), shape


def shape_of_rows(shape: tuple[int, ...], given: tuple[int, ...] | None = None) -> ImageShape | None:
    """What an image is in an array of this shape. `given`: (H, W) or (C, H, W) of rows, which do not say it themselves.

    Raises BadTable for one that does not fit.
    """
    if len(shape) == 2:
        if given is None:
            return None
        n_channels, height, width = (1, *given)[-3:]
        if math.prod(given) != shape[1]:
            rule = f"data.image_shape={list(given)} has as many values as a row"
            raise BadTable(rule, f"it has {math.prod(given)}, a row {shape[1]}.")
        return n_channels, height, width
    if given is not None:
        raise BadTable("data.image_shape=null, but for examples that are rows", f"their shape is {shape[1:]}.")
    if len(shape) == 3:
        return 1, shape[1], shape[2]
    _, first, second, third = shape
    return (third, first, second) if has_channels_last(shape) else (first, second, third)


def has_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether four axes are (N, H, W, C): so they are if the last has as many values as an image has colours, and the
    second has not."""
    return len(shape) == 4 and shape[3] in COLOURS and shape[1] not in COLOURS
