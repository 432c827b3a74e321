"""The train and the validation split of images that stay bytes: written into files once, which every process maps.

So images that are larger than the memory train, and workers share what is in memory. A folder of the cache is named by
the images and by which of them train and validate. The test split is in none. N examples, I features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from ridgeline.cache import cache_folder, made_once, require_space
from ridgeline.config import DataConfig
from ridgeline.data.array_splits import ArraySplit, ArraySplits, describe_rows, joined, sizes_of, take_targets
from ridgeline.data.image_leaks import image_leaks
from ridgeline.data.kept_rows import fold_rows_once
from ridgeline.data.rows import RowNumbers
from ridgeline.data.scaler import count_values, scaler_of
from ridgeline.data.source import Source
from ridgeline.images.chunks import chunks

SPLITS = ("train", "validation")
COUNTS = "counts.npy"
"""How often each value occurs in each channel of each fold's train split."""


def load_pixels(source: Source, config: DataConfig) -> ArraySplits:
    """The arrays are maps of files: their pages are in memory once for all processes, and none is before it is read.

    Raises ConfigError for bad splits, and where the cache cannot be written.
    """
    folds = fold_rows_once(source, config)
    folder = _folder(source, folds)
    scalers = tuple(
        scaler_of(source, rows.train, config, counts_CV=counts_CV)
        for rows, counts_CV in zip(folds, np.load(folder / COUNTS), strict=True)
    )

    def mapped(split: str) -> ArraySplit:
        """A page that somebody writes to would be their own: torch takes no array that cannot be written."""
        rows = [getattr(own, split) for own in folds]
        targets = [take_targets(source, own, scaler) for own, scaler in zip(rows, scalers, strict=True)]
        weights = [w_N for _, w_N in targets if w_N is not None]
        x_NI = np.asarray(np.load(folder / f"{split}_x.npy", mmap_mode="c"))
        y_N = joined([y_N for y_N, _ in targets])
        return ArraySplit(x_NI, y_N, sizes_of(rows), joined(weights) if weights else None)

    described = describe_rows(source, folds, config, source.n_features)
    return ArraySplits(
        mapped("train"),
        mapped("validation"),
        scalers,
        source.n_classes,
        source.image_shape,
        described,
        source.notes,
        image_leaks(source, folds[0], config),
    )


def _folder(source: Source, folds: Sequence[RowNumbers]) -> Path:
    digest = hashlib.sha256(source.content.encode())
    for rows in folds:
        for split in SPLITS:
            own = getattr(rows, split)
            digest.update(f" {split} {len(own)} ".encode() + own.astype("<i8").tobytes())
    folder = cache_folder() / "pixels" / digest.hexdigest()[:32]
    return made_once(folder, lambda draft: _write(draft, source, folds))


def _write(draft: Path, source: Source, folds: Sequence[RowNumbers]) -> None:
    for split in SPLITS:
        _write_rows(draft / f"{split}_x.npy", source, [getattr(rows, split) for rows in folds])
    np.save(draft / COUNTS, np.stack([count_values(source, rows.train) for rows in folds]))


def _write_rows(path: Path, source: Source, folds: Sequence[np.ndarray]) -> None:
    """The rows of all folds one after the other, some at a time, so that they are nowhere in memory as a whole."""
    longest = max(map(len, folds))
    shape = (longest * len(folds), source.n_features)
    require_space(path.parent, shape[0] * shape[1])

    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for rows in folds:
            for some in chunks(np.resize(rows, longest), source.n_features):
                file.write(source.features(some).data)
