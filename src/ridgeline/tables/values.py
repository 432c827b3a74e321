"""The raw values of one column of a frame: as numbers, or as the categories that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError

LARGEST = float(np.finfo(np.float32).max)


def as_numbers(column: pd.Series) -> np.ndarray:
    """float64, NaN where a value is missing. Raises ConfigError for a text that is no number, and for infinity."""
    values = column.to_numpy()
    if values.dtype.kind in "fiub":
        numbers: np.ndarray = values.astype(np.float64)
    elif values.dtype.kind == "m":
        numbers = values / np.timedelta64(1, "s")
    else:
        numbers = np.full(len(values), np.nan)
        missing = pd.isna(values)
        try:
            numbers[~missing] = values[~missing].astype(np.float64)
        except (TypeError, ValueError):
            row = next(row for row, value in enumerate(values) if not missing[row] and not is_number(value))
            raise ConfigError(rule_of(column, "is a number", row)) from None
    with np.errstate(invalid="ignore"):
        huge = np.abs(numbers) > LARGEST
    if huge.any():
        raise ConfigError(rule_of(column, "is finite in float32", int(huge.argmax())))
    return numbers


def is_number(value: object) -> bool:
    """Whether it is a number, or a text that reads as one."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def rule_of(column: pd.Series, rule: str, row: int) -> str:
    """The line that says which row of a column breaks a rule; rows count from 1, without the header."""
    value = str(column.iloc[row])
    value = value if len(value) <= 60 else value[:57] + "..."
    return f"`{column.name} {rule}` must hold, but got {column.name}={value} in row {row + 1}."


def key_of(value: Any) -> str:
    """How a category is called. 1, 1.0 and "1" are one category: a column with gaps has its whole numbers as floats."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def counted(column: pd.Series) -> dict[str, int]:
    """How often each category occurs, missing ones aside; sorted, as numbers where all of them are."""
    counts: dict[str, int] = {}
    try:
        for value, count in column.value_counts().items():
            if count:
                counts[key_of(value)] = counts.get(key_of(value), 0) + int(count)
    except TypeError:  # a list or a mapping, of JSON
        row = next(row for row, value in enumerate(column) if value.__hash__ is None)
        raise ConfigError(rule_of(column, "is a number, a text, a date, true or false", row)) from None
    by_number = all(is_number(key) for key in counts)
    return dict(sorted(counts.items(), key=lambda item: (float(item[0]) if by_number else 0.0, item[0])))


def codes_of(keys: Iterable[str]) -> dict[Any, int]:
    """The code, from 1 on, of each value that means one of these categories: its text, and the number of that text."""
    codes: dict[Any, int] = {}
    for code, key in enumerate(keys, start=1):
        codes[key] = code
        if key in ("True", "False"):
            codes.setdefault(key == "True", code)
        elif is_number(key) and key_of(float(key)) == key:  # "007" is not the number 7
            codes.setdefault(float(key), code)  # of the same hash as an integer
    return codes


def as_codes(column: pd.Series, codes: Mapping[Any, int]) -> np.ndarray:
    """The code of each value; 0 for what is missing or no key of `codes`."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        of_category = [codes.get(value, 0) for value in column.cat.categories]
        return np.array([*of_category, 0])[column.cat.codes.to_numpy()]
    if column.dtype.kind in "mM":
        column = column.astype(str)
    try:
        return np.fromiter((codes.get(value, 0) for value in column.tolist()), np.int64, len(column))
    except TypeError:
        row = next(row for row, value in enumerate(column) if value.__hash__ is None)
        raise ConfigError(rule_of(column, "is a number, a text, a date, true or false", row)) from None
