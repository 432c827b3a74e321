"""Numbers that a training can use, checked where it is still known in which line of which file they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError
from ridgeline.tables.files import one_line
from ridgeline.tables.stored import Table
from ridgeline.tables.values import LARGEST, is_number

Place = Callable[[int], str]
"""Where a row of the frame, counted from 0, is found, as `Reading.place` tells it."""


def require_finite(frame: Table, columns: Sequence[str], place: Place) -> None:
    """Raise ConfigError for the first number that is infinite or beyond float32. Columns of others are passed over."""
    for name in columns:
        column = frame[name]
        if not pd.api.types.is_float_dtype(column):  # whole numbers all fit
            continue
        wrong = np.flatnonzero(np.abs(column.to_numpy(np.float64)) > LARGEST)
        if len(wrong):
            value, more = column.iloc[wrong[0]], f" and {len(wrong) - 1} more" * (len(wrong) > 1)
            where = f"{name}={value:g} in {place(int(wrong[0]))}{more}"
            raise ConfigError(
                f"`{name} is finite in float32` must hold, but got {where}. Correct it, or leave the cell empty."
            )


def require_numbers(frame: Table, columns: Sequence[str], place: Place, *, key: str = "data.numeric") -> None:
    """Raise ConfigError for the first text that is no number, in columns that `key` says hold numbers."""
    for name in columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column):
            continue
        values = column.dropna()
        wrong = [row for row, value in zip(values.index, values, strict=True) if not is_number(value)]
        if wrong:
            value, more = one_line(str(column.loc[wrong[0]]), 60), f" and {len(wrong) - 1} more" * (len(wrong) > 1)
            where = f"{name}={value} in {place(wrong[0])}{more}"
            cure = f"Correct it, name it in data.missing, or take {name} out of {key}."
            raise ConfigError(f"`{name}, which is in {key}, holds numbers` must hold, but got {where}. {cure}")
