"""Splits that the data bring along: a column that names the split of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.checking import ConfigError, require

if TYPE_CHECKING:
    import pandas as pd

TRAIN, VALIDATION, TEST = 0, 1, 2

WRITTEN = {
    TRAIN: ("train", "training", "trainset", "tr"),
    VALIDATION: ("validation", "valid", "val", "validate", "dev", "development"),
    TEST: ("test", "testing", "testset", "te", "holdout"),
}
"""How people write them, in small letters and without what is between two words."""


def read_split_names(column: pd.Series, key: str) -> np.ndarray:
    """(N,) `TRAIN`, `VALIDATION` or `TEST` for each row, int8. `key` is named in what is refused.

    Raises ConfigError for a name that says nothing of the kind, and where no row trains.
    """
    names = column.tolist()
    for name in dict.fromkeys(names):
        if _split_of(name) is None:
            rule, row = f"{key} holds train, validation or test in each row", column.index[names.index(name)] + 1
            raise ConfigError(f"`{rule}` must hold, but got {column.name} with {name} in row {row}.")
    return number_splits(names, key, column.name)


def number_splits(names: Sequence[Any], key: str, shown: object = None) -> np.ndarray:
    """(N,) The same of names that stand in no column. `shown`: what is named as the value."""
    splits = {name: _split_of(name) for name in dict.fromkeys(names)}
    for name, split in splits.items():
        require(split is not None, f"{key} is train, validation or test", key, name)
    given_N = np.array([splits[name] for name in names], np.int8)
    require(bool((given_N == TRAIN).any()), f"{key} holds train in some row", key, shown or "none")
    return given_N


def _split_of(name: Any) -> int | None:
    known = {word: split for split, words in WRITTEN.items() for word in words}
    return known.get("".join(letter for letter in str(name).lower() if letter.isalpha()))
