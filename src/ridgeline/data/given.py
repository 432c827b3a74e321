"""Splits that the data bring along: a column that names the split of each row."""

from __future__ import annotations

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
    known = {word: split for split, words in WRITTEN.items() for word in words}
    names, splits = column.tolist(), dict[Any, int]()
    for name in dict.fromkeys(names):
        split = known.get("".join(letter for letter in str(name).lower() if letter.isalpha()))
        if split is None:
            rule, row = f"{key} holds train, validation or test in each row", column.index[names.index(name)] + 1
            raise ConfigError(f"`{rule}` must hold, but got {column.name} with {name} in row {row}.")
        splits[name] = split
    given_N = np.array([splits[name] for name in names], np.int8)
    require(bool((given_N == TRAIN).any()), f"{key} holds train in some row", key, column.name)
    return given_N
