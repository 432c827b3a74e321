"""Images that are in two splits, or in two classes: looked for once, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from ridgeline.cache import cache_folder, made_once
from ridgeline.config import DataConfig
from ridgeline.data.rows import RowNumbers
from ridgeline.data.source import Source
from ridgeline.finding import Finding
from ridgeline.images.decoded import code
from ridgeline.images.doubles import Doubles, doubles
from ridgeline.images.twins import Twins, twins

FOUND = "twins.json"


def image_leaks(source: Source, rows: RowNumbers, config: DataConfig) -> tuple[Finding, ...]:
    """`rows`: of the splits, or those of the first fold."""
    assert source.image_shape is not None
    shape = source.image_shape
    splits = [rows.train, rows.validation, rows.test]
    if config.n_folds > 1 or config.fit_on == "train_validation":  # what validates trains as well
        splits = [np.union1d(rows.train, rows.validation), rows.validation[:0], rows.test]
    digest = hashlib.sha256(f"{source.content} {code()}".encode())
    for own in splits:
        digest.update(f" {len(own)} ".encode() + own.astype("<i8").tobytes())

    seen = np.concatenate(splits[:2])
    labels_N = source.y_N[seen]
    is_of_classes = labels_N.dtype.kind in "iu"
    if is_of_classes:
        digest.update(labels_N.astype("<i8").tobytes())

    def make(draft: Path) -> None:
        found = twins(source.features, shape, *splits, grey_level=_grey_level(source))
        again = doubles(source.features, shape, seen, labels_N) if is_of_classes else None
        kept = {"twins": [vars(one) for one in found], "doubles": [vars(again)] if again is not None else []}
        (draft / FOUND).write_text(json.dumps(kept))

    folder = made_once(cache_folder() / "twins" / digest.hexdigest()[:32], make)
    names = source.images.names if source.images is not None else [f"image {i}" for i in np.arange(len(source.y_N))]
    kept = json.loads((folder / FOUND).read_text())
    leaks = (Twins(**one).finding(names) for one in kept["twins"])
    return (*leaks, *(Doubles(**one).finding(names) for one in kept["doubles"]))


def _grey_level(source: Source) -> float:
    """One of 256: of bytes 1, of images of floats a part of their range."""
    if source.is_bytes:
        return 1.0
    assert source.x_NI is not None
    return float(source.x_NI.max() - source.x_NI.min()) / 255
