"""Images that are in two splits, or nearly so: the same pixels, or the same look.

N images, M of them, C channels, H and W the sides, I = C * H * W.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ridgeline.finding import Finding
from ridgeline.images.chunks import chunks

ROWS, COLUMNS = 8, 8
"""Of the brightness differences that a look consists of, a bit for each."""
STEP = 2.0
"""Grey levels from which on brightness rises from one area to the next; less is noise."""
BITS = 3
"""In which two looks differ at most that may be of one image."""
BANDS = 4
"""Parts of a look. Two that differ in fewer bits than this are equal in one part."""
MOST = 32
"""Images that one is compared with in a part."""
ALIKE = 0.99
"""The correlation of the pixels from which on two images are nearly the same."""
SHOWN = 3

Pixels = Callable[[np.ndarray], np.ndarray]
"""The pixels (M, I), uint8 or float32, of the images of these numbers."""


@dataclass(frozen=True)
class Twins:
    """`count` of the `total` images of a split have a twin among those that were known before, of the same pixels or of
    the same look; `pairs`: the numbers of some."""

    split: str
    known: str
    count: int
    total: int
    is_same: bool
    pairs: Sequence[Sequence[int]]

    def finding(self, names: Sequence[str]) -> Finding:
        """`names`: what the images are called, by their numbers."""
        shown = ", ".join(f"{names[own]} and {names[other]}" for own, other in self.pairs)
        shown += ", ..." if self.count > len(self.pairs) else ""
        what = f"{self.count} of {self.total} images of the {self.split} split"
        if self.is_same:
            return Finding(f"{what} are in the {self.known} split too ({shown})", "remove the copies", is_leak=True)
        cure = "if they are copies or of one scene, keep them in one split: by folders, or data.split_column of a CSV"
        return Finding(f"{what} look nearly like one of the {self.known} split ({shown})", cure, is_leak=True)


class Prints(NamedTuple):
    """Fingerprints of the images of some numbers, (N,) uint64 each. `same`: a hash of the pixels. `looks`: a difference
    hash (Krawetz 2013), whether the brightness rises from each of 8 x 9 areas to the one to its right."""

    rows_N: np.ndarray
    same_N: np.ndarray
    looks_N: np.ndarray


def twins(
    pixels: Pixels,
    shape: tuple[int, int, int],
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    *,
    grey_level: float = 1.0,
) -> list[Twins]:
    """The images that validate and are, or nearly are, among those that train; and of the test split those that are
    among the others. The splits may be empty. `grey_level`: what one of 256 is in the pixels' own unit."""
    first, second, third = (_prints(pixels, shape, rows, STEP * grey_level) for rows in (train, validation, test))
    both = Prints(*map(np.concatenate, zip(first, second, strict=True)))
    found = []
    for split, own, of, known in (("validation", second, "train", first), ("test", third, "train or validation", both)):
        order_M = np.argsort(known.same_N, kind="stable")
        twin_N = order_M[np.searchsorted(known.same_N[order_M], own.same_N).clip(max=len(order_M) - 1)]
        is_same_N = known.same_N[twin_N] == own.same_N
        same = [(own.rows_N[i], known.rows_N[twin_N[i]]) for i in np.flatnonzero(is_same_N)]
        others = np.flatnonzero(~is_same_N)
        near = [(own.rows_N[others[i]], known.rows_N[m]) for i, m in _near(own.looks_N[others], known.looks_N)]
        for is_same, pairs in ((True, same), (False, _alike(pixels, shape, near))):
            if pairs:
                shown = [(int(one), int(other)) for one, other in pairs[:SHOWN]]
                found.append(Twins(split, of, len(pairs), len(own.rows_N), is_same, shown))
    return found


def _prints(pixels: Pixels, shape: tuple[int, int, int], rows: np.ndarray, step: float) -> Prints:
    same_N, looks_N = np.zeros(len(rows), np.uint64), np.zeros(len(rows), np.uint64)
    down_RH, across_WA = _areas(ROWS, shape[1]), _areas(COLUMNS + 1, shape[2]).T
    start = 0
    for some in chunks(rows, math.prod(shape)):
        x_MI, part = pixels(some), slice(start, start + len(some))
        start += len(some)
        same_N[part] = hashes(x_MI)
        areas_MRA = down_RH @ _grey(x_MI, shape) @ across_WA
        rises = np.diff(areas_MRA, axis=2) > step
        looks_N[part] = np.packbits(rises.reshape(len(x_MI), -1), axis=1).view(np.uint64)[:, 0]
    return Prints(rows, same_N, looks_N)


def hashes(x_MI: np.ndarray) -> np.ndarray:
    """(M,) uint64, of the pixels of each."""
    own = [int.from_bytes(hashlib.blake2b(x_I, digest_size=8).digest(), "little") for x_I in x_MI]
    return np.array(own, np.uint64)


def _grey(x_MI: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(M, H, W) float32, the mean of the channels."""
    grey_MHW: np.ndarray = x_MI.reshape(-1, *shape).mean(axis=1, dtype=np.float32)
    return grey_MHW


def _areas(n: int, side: int) -> np.ndarray:
    """(n, side) float32: the weights of the pixels in the means of n equal parts of a side."""
    ends = np.linspace(0, side, n + 1)
    edges = np.arange(side + 1)
    low, high = np.maximum(ends[:-1, None], edges[:-1]), np.minimum(ends[1:, None], edges[1:])
    weights = (high - low).clip(0)
    means: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return means


def _near(looks_N: np.ndarray, looks_T: np.ndarray) -> list[tuple[int, int]]:
    """For each of N the one of T whose look differs least, where that is in `BITS` bits at most: looked for among those
    that are equal in one part."""
    best_N = np.full(len(looks_N), BITS + 1)
    found_N = np.zeros(len(looks_N), np.int64)
    for band in range(BANDS):
        shift = np.uint64(64 // BANDS * band)
        mask = np.uint64((1 << 64 // BANDS) - 1)
        part_N, part_T = (looks_N >> shift) & mask, (looks_T >> shift) & mask
        order_T = np.lexsort((looks_T, part_T))
        first_N, last_N = (np.searchsorted(part_T[order_T], part_N, side) for side in ("left", "right"))
        for step in range(min(MOST, len(looks_T))):
            at_N = first_N + step
            is_there_N = at_N < last_N
            if not is_there_N.any():
                break
            other_N = order_T[np.minimum(at_N, len(looks_T) - 1)]
            bits_N = np.where(is_there_N, np.bitwise_count(looks_N ^ looks_T[other_N]), BITS + 1)
            is_better_N = bits_N < best_N
            best_N[is_better_N], found_N[is_better_N] = bits_N[is_better_N], other_N[is_better_N]
    return [(int(i), int(found_N[i])) for i in np.flatnonzero(best_N <= BITS)]


def _alike(pixels: Pixels, shape: tuple[int, int, int], pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of the pairs whose pixels go together."""
    found = []
    for some in chunks(np.array(pairs, np.int64).reshape(-1, 2), 8 * math.prod(shape)):  # two images each, in float32
        one_MI, other_MI = (_centred(_grey(pixels(some[:, side]), shape)) for side in (0, 1))
        together_M = (one_MI * other_MI).sum(axis=1)
        found += [(int(own), int(other)) for own, other in some[together_M >= ALIKE]]
    return found


def _centred(grey_MHW: np.ndarray) -> np.ndarray:
    """(M, H * W) of mean 0 and length 1; an image of one grey is all 0, and so like no other."""
    grey_MP = grey_MHW.reshape(len(grey_MHW), -1)
    grey_MP = grey_MP - grey_MP.mean(axis=1, keepdims=True)
    length_M1 = np.sqrt(np.square(grey_MP).sum(axis=1, keepdims=True))
    centred_MP: np.ndarray = grey_MP / np.maximum(length_M1, 1e-6 * grey_MP.shape[1] + 1e-6)
    return centred_MP
