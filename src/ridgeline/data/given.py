"""Splits that the data bring along: a column that names the split of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ridgeline.checking import ConfigError, require

TRAIN, VALIDATION, TEST = 0, 1, 2

WRITTEN = {
    TRAIN: ("train", "training", "trainset", "tr"),
    VALIDATION: ("validation", "valid", "val", "validate", "dev", "development"),
    TEST: ("test", "testing", "testset", "te", "holdout"),
}
"""How people write them, in small letters and without what is between two words."""


def read_split_names(names: Sequence[Any], key: str, column: str) -> np.ndarray:
    """(N,) `TRAIN`, `VALIDATION` or `TEST` for each row, int8. `key` names the `column` in what is refused.

    Raises ConfigError for a name that says nothing of the kind, and where no row trains.
    """
    known = {word: split for split, words in WRITTEN.items() for word in words}
    given_N = np.empty(len(names), np.int8)
    for row, name in enumerate(names):
        split = known.get("".join(letter for letter in str(name).lower() if letter.isalpha()))
        if split is None:
            rule = f"{key} holds train, validation or test in each row"
            raise ConfigError(f"`{rule}` must hold, but got {column} with {name} in row {row + 1}.")
        given_N[row] = split
    require(bool((given_N == TRAIN).any()), f"{key} holds train in some row", key, column)
    return given_N
