"""A split of the examples, and what must hold of it.

N examples, I features; images of C channels, H rows and W columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ridgeline.arrays.files import Entry, require_plain
from ridgeline.tables.files import BadTable


class Part(NamedTuple):
    """A split: its examples and their targets; `x_name` and `y_name` are what an error calls them."""

    x: Entry
    y: Entry
    x_name: str
    y_name: str


def check_part(part: Part, train: Part) -> None:
    """Raise BadTable for arrays that are no examples and their targets, or others than those of the train split."""
    x, y = part.x, part.y
    require_plain(x, part.x_name)
    require_plain(y, part.y_name)
    if len(x.shape) not in (2, 3, 4) or 0 in x.shape:
        rule = f"{part.x_name} is (N, I), (N, H, W), (N, C, H, W) or (N, H, W, C)"
        raise BadTable(rule, f"its shape is {x.shape}.")
    if x.dtype.kind not in "buif":
        raise BadTable(f"{part.x_name} holds numbers", f"its type is {x.dtype}.")
    if len(y.shape) != 1 and y.shape[1:] != (1,):
        cure = ": one-hot targets become classes by y.argmax(1)" if len(y.shape) == 2 else ""
        raise BadTable(f"{part.y_name} is one target for each example", f"its shape is {y.shape}{cure}.")
    if y.shape[0] != x.shape[0]:
        rule = f"{part.x_name} and {part.y_name} have as many rows"
        raise BadTable(rule, f"they have {x.shape[0]} and {y.shape[0]}.")
    if x.shape[1:] != train.x.shape[1:]:
        rule = f"examples of {part.x_name} are as those of {train.x_name}"
        raise BadTable(rule, f"their shapes are {x.shape[1:]} and {train.x.shape[1:]}.")
    if (x.dtype == np.uint8) != (train.x.dtype == np.uint8):
        rule = f"{part.x_name} and {train.x_name} are on one scale"
        raise BadTable(rule, f"their types are {x.dtype} and {train.x.dtype}.")
