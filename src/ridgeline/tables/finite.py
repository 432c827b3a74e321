"""Numbers that a training can use: finite in float32, and numbers at all where they were declared to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError
from ridgeline.tables.files import one_line

LARGEST = float(np.finfo(np.float32).max)


def place_of(row: int) -> str:
    return f"row {row + 1}"


def require_finite(
    frame: pd.DataFrame, columns: Sequence[str], *, key: str = "data.path", place: Callable[[int], str] = place_of
) -> None:
    """Raise ConfigError for the first number that is infinite, or beyond float32, with its column and its place.

    `place` tells where a row is, as `Reading.place` does; columns without numbers are passed over.
    """
    for name in columns:
        if not pd.api.types.is_float_dtype(frame[name]) and not pd.api.types.is_integer_dtype(frame[name]):
            continue
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = np.flatnonzero(np.abs(values) > LARGEST)
        if len(wrong):
            rule = "each number is finite in float32"
            detail = f"the column `{name}` holds {values[wrong[0]]:g} in {place(int(wrong[0]))}"
            more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise ConfigError(
                f"`{rule}` must hold, but got {key}: {detail}{more}. Correct it, or leave the cell empty."
            )


def as_numbers(
    frame: pd.DataFrame, columns: Sequence[str], *, key: str = "data.numeric", place: Callable[[int], str] = place_of
) -> pd.DataFrame:
    """The frame with these columns as numbers. Raises ConfigError for the first text that is none, with its place."""
    changed = {}
    for name in columns:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            continue
        numbers = pd.to_numeric(values, errors="coerce")
        wrong = np.flatnonzero((numbers.isna() & values.notna()).to_numpy())
        if len(wrong):
            text = one_line(repr(str(values.iloc[wrong[0]])), 60)
            detail = f"it holds {text} in {place(int(wrong[0]))}"
            more = f", and {len(wrong) - 1} more that are no numbers" if len(wrong) > 1 else ""
            cure = "Correct it, name it in data.missing, or take the column from the list."
            raise ConfigError(f"`the column holds numbers` must hold, but got {key}={name}: {detail}{more}. {cure}")
        changed[name] = numbers.astype(np.float64)
    return frame.assign(**changed) if changed else frame
