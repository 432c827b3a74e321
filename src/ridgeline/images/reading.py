"""What is in many image files, and their pixels: by threads, for Pillow decodes without Python's lock."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from ridgeline.bars import bar_of
from ridgeline.images.chunks import chunk_size
from ridgeline.images.decoding import BadImage, Seen, decode, look

PIECE = 32
"""Files that a thread takes at a time, or fewer large ones."""
AHEAD = 2
"""Pieces for each thread that are read before the first of them is used."""
DELAY = 1.0
"""Seconds after which a bar is shown."""

T = TypeVar("T")


@dataclass(frozen=True)
class Survey:
    """What is in some files. `content`: a hash of all their bytes. `sizes` (H, W), `modes` as Pillow calls them, and
    `formats`: how many images have each. `animated`, `turned`: how many have more than one frame, and how many are to
    be turned. `bad`: which files are no images, by their numbers, and why."""

    content: str
    sizes: tuple[tuple[tuple[int, int], int], ...]
    modes: tuple[tuple[str, int], ...]
    formats: tuple[tuple[str, int], ...]
    are_grey: bool
    animated: int
    turned: int
    bad: tuple[tuple[int, str], ...]

    def tree(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def of_tree(cls, tree: dict[str, Any]) -> Survey:
        """Of what JSON made of `tree`."""
        sizes = tuple(((height, width), count) for (height, width), count in tree["sizes"])
        pairs = {key: tuple(map(tuple, tree[key])) for key in ("modes", "formats", "bad")}
        return cls(**{**tree, **pairs, "sizes": sizes})


def survey(files: Sequence[Path]) -> Survey:
    """Of all of them: nothing is refused here."""
    digest, seen, bad = hashlib.sha256(), list[Seen](), list[tuple[int, str]]()
    for number, (own, found) in enumerate(_each(files, _look, "reading")):
        digest.update(own)
        if isinstance(found, Seen):
            seen.append(found)
        else:
            bad.append((number, found))

    def counts(values: Iterator[Any]) -> tuple[Any, ...]:
        return tuple(Counter(values).most_common())

    return Survey(
        content=digest.hexdigest(),
        sizes=counts((one.height, one.width) for one in seen),
        modes=counts(one.mode for one in seen),
        formats=counts(one.format for one in seen),
        are_grey=all(one.is_grey for one in seen),
        animated=sum(one.frames > 1 for one in seen),
        turned=sum(one.is_turned for one in seen),
        bad=tuple(bad),
    )


def pixels(files: Sequence[Path], n_channels: int, size: tuple[int, int]) -> Iterator[np.ndarray | str]:
    """In their order (C, H, W) uint8 of each file, or what is wrong with it."""

    def own(file: Path) -> np.ndarray | str:
        try:
            return decode(_content(file), n_channels, size)
        except BadImage as bad:
            return str(bad)

    return _each(files, own, "decoding", min(PIECE, chunk_size(n_channels * size[0] * size[1])))


def _look(file: Path) -> tuple[bytes, Seen | str]:
    try:
        content = _content(file)
    except BadImage as bad:
        return str(bad).encode(), str(bad)
    try:
        found: Seen | str = look(content)
    except BadImage as bad:
        found = str(bad)
    return hashlib.sha256(content).digest(), found


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise BadImage("it is a link to nothing" if file.is_symlink() else "there is no such file") from None
    except OSError as error:
        raise BadImage(f"it cannot be read ({error.strerror})") from None


def _each(files: Sequence[Path], own: Callable[[Path], T], what: str, n: int = PIECE) -> Iterator[T]:
    """In the order of the files, some pieces at a time, so that results do not heap up."""
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    block = n * AHEAD * n_threads

    def piece(some: Sequence[Path]) -> list[T]:
        return [own(file) for file in some]

    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(n_threads) as pool,
        bar_of(total=len(files), unit="image", desc=what, delay=DELAY) as bar,
    ):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # of what is odd in a file that can be read
        for start in range(0, len(files), block):
            some = files[start : start + block]
            for found in pool.map(piece, [some[i : i + n] for i in range(0, len(some), n)]):
                yield from found
                bar.update(len(found))
