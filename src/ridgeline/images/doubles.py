"""Images of the same pixels that are there in two classes: one of the labels is wrong.

N images, M of them, I features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ridgeline.finding import Finding
from ridgeline.images.chunks import chunks
from ridgeline.images.twins import SHOWN, Pixels, hashes


@dataclass(frozen=True)
class Doubles:
    """`count` of the `total` images are there again in another class; `pairs`: the numbers of some of them."""

    count: int
    total: int
    pairs: Sequence[Sequence[int]]

    def finding(self, names: Sequence[str]) -> Finding:
        """`names`: what the images are called, by their numbers."""
        shown = ", ".join(f"{names[own]} and {names[other]}" for own, other in self.pairs)
        shown += ", ..." if self.count > 2 * len(self.pairs) else ""
        what = f"{self.count} of {self.total} images of the train and validation split are there in another class too"
        return Finding(f"{what} ({shown})", "leave each in the class that it is of")


def doubles(pixels: Pixels, shape: tuple[int, int, int], rows_N: np.ndarray, labels_N: np.ndarray) -> Doubles | None:
    """Of the images of these numbers and classes; None where there are no such."""
    same_N = np.concatenate([hashes(pixels(some)) for some in chunks(rows_N, math.prod(shape))])
    order_N = np.lexsort((labels_N, same_N))
    edges = np.flatnonzero(np.diff(same_N[order_N])) + 1
    found = [each for each in np.split(order_N, edges) if labels_N[each[0]] != labels_N[each[-1]]]
    if not found:
        return None
    pairs = [(int(rows_N[each[0]]), int(rows_N[each[-1]])) for each in found[:SHOWN]]
    return Doubles(sum(map(len, found)), len(rows_N), pairs)
