"""Which rows train, validate and test, kept from one start to the next: what divides them takes a second to import."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from ridgeline.cache import cache_folder, made_once
from ridgeline.config import DataConfig
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.rows import RowNumbers
from ridgeline.data.source import Source
from ridgeline.tables.notes import code_of

DIVIDING = ("seed", "split", "train", "validation", "folds", "examples", "permute_labels", "fit_on")
"""Settings by which rows are divided."""
OF_THE_SOURCE = ("groups_N", "times_N", "given_N")
"""What a source knows of its rows that divides them. Its content need not tell it."""
ROWS = "rows.npz"


def fold_rows_once(source: Source, config: DataConfig) -> list[RowNumbers]:
    """What `fold_rows` gives, and raises."""
    settings = {key: getattr(config, key) for key in DIVIDING}
    counts = [len(source.y_N), source.n_test, source.n_locked]
    digest = hashlib.sha256(json.dumps([source.content, counts, settings, code_of(Path(__file__).parent)]).encode())
    for name in OF_THE_SOURCE:
        own_N = getattr(source, name)
        digest.update(f" {name} ".encode() + (b"" if own_N is None else own_N.tobytes()))
    folder = cache_folder() / "rows" / digest.hexdigest()[:32]

    def make(draft: Path) -> None:
        folds = fold_rows(source, config)
        np.savez(
            draft / ROWS, **{f"{split}_{f}": own for f, rows in enumerate(folds) for split, own in vars(rows).items()}
        )

    with np.load(made_once(folder, make) / ROWS) as kept:
        splits = ("train", "validation", "test")
        return [RowNumbers(*(kept[f"{split}_{f}"] for split in splits)) for f in range(config.n_folds)]
