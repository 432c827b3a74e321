"""Categories as numbers: a column of 0 and 1 for each, or one code that a network embeds.

N rows, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ridgeline.tables.values import as_codes, codes_of, counted

RARE = 1
"""A category that is seen no more often than this is taken as unknown, so that the unknown is something that training
has seen."""


@dataclass(frozen=True)
class Categories:
    """The known categories of a column; every other value, and a missing one, is unknown.

    One-hot, a feature for each category, and one for the unknown where `unknown` says so: where training has no row for
    it, an unknown value is 0 in all of them. Embedded, one feature: the code, from 1 on, and 0 for the unknown.
    """

    keys: tuple[str, ...]
    one_hot: bool
    unknown: bool

    @property
    def n_features(self) -> int:
        return len(self.keys) + self.unknown if self.one_hot else 1

    def features(self, name: str) -> list[str]:
        if not self.one_hot:
            return [name]
        return [f"{name}={key}" for key in self.keys] + [f"{name} unknown"] * self.unknown

    @property
    def codes(self) -> Mapping[object, int]:
        return codes_of(self.keys)

    def write(self, codes_N: np.ndarray, out_NF: np.ndarray) -> None:
        """Fill the features, float32, of these codes; 0 is unknown."""
        if not self.one_hot:
            out_NF[:, 0] = codes_N
            return
        out_NF[:] = 0
        position_N = codes_N - 1
        if self.unknown:
            position_N = np.where(codes_N == 0, len(self.keys), position_N)
        row_M = np.flatnonzero(position_N >= 0)
        out_NF[row_M, position_N[row_M]] = 1

    def becomes(self) -> str:
        if not self.one_hot:
            return f"a code of {len(self.keys)} categories, embedded"
        columns = f"{len(self.keys)} column{'s' * (len(self.keys) != 1)} of 0 and 1"
        return f"{columns}, and one for all others" if self.unknown else columns


def fit_categories(column: pd.Series, one_hot: int) -> Categories:
    """The categories of the known rows, one-hot if these are no more than `one_hot`."""
    keys = tuple(key for key, count in counted(column).items() if count > RARE)
    unknown = bool((as_codes(column, codes_of(keys)) == 0).any())
    return Categories(keys, len(keys) <= one_hot, unknown)
