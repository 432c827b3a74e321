"""The raw values of one column of a frame: as numbers, or as the categories that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError
from ridgeline.tables.stored import Table

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class SomeRows:
    """Rows of a frame, of which a column at a time is copied: a large table is not there twice."""

    frame: Table
    rows: np.ndarray

    def __getitem__(self, name: str) -> pd.Series:
        return self.frame[name].iloc[self.rows]

    def head(self, n: int) -> pd.DataFrame:
        return self.frame.take(self.rows[:n])


Columns: TypeAlias = pd.DataFrame | SomeRows


class BadValue(ConfigError):
    """The line that says which value of a column breaks a rule. Rows count from 1, without the header."""

    def __init__(self, name: str, rule: str, value: object, row: int) -> None:
        self.found = (name, rule, value, row)
        shown = str(value) if len(str(value)) <= 60 else str(value)[:57] + "..."
        super().__init__(f"`{name} {rule}` must hold, but got {name}={shown} in row {row + 1}.")

    def below(self, n_rows: int) -> BadValue:
        """The same of rows that `n_rows` others go before."""
        name, rule, value, row = self.found
        return BadValue(name, rule, value, row + n_rows)


def bad_value(column: pd.Series, rule: str, row: int) -> BadValue:
    """The error that the value in this row of a column breaks a rule; here rows count from 0."""
    return BadValue(str(column.name), rule, column.iloc[row], row)


def as_numbers(column: pd.Series) -> np.ndarray:
    """float64, NaN where a value is missing. Raises ConfigError for a text that is no number, and for infinity."""
    values = column.to_numpy()
    if values.dtype.kind == "c":
        raise bad_value(column, "is a number", 0)
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
            raise bad_value(column, "is a number", row) from None
    with np.errstate(invalid="ignore"):
        huge = np.abs(numbers) > LARGEST
    if huge.any():
        raise bad_value(column, "is finite in float32", int(huge.argmax()))
    return numbers


def is_number(value: object) -> bool:
    """Whether it is a number, or a text that reads as one."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def key_of(value: Any) -> str:
    """How a category is called. 1, 1.0 and "1" are one category: a column with gaps has its whole numbers as floats."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def counted(column: pd.Series) -> dict[str, int]:
    """How often each category occurs, missing ones aside; sorted, as numbers where all of them are."""
    counts: dict[str, int] = {}
    for value, count in column.value_counts().items():
        if count:
            counts[key_of(value)] = counts.get(key_of(value), 0) + int(count)
    by_number = all(is_number(key) for key in counts)
    return dict(sorted(counts.items(), key=lambda item: (float(item[0]) if by_number else 0.0, item[0])))


def codes_of(keys: Iterable[str]) -> dict[Any, int]:
    """The code, from 1 on, of each value that means one of these categories: its text, and the number of that text."""
    codes: dict[Any, int] = {key: code for code, key in enumerate(keys, start=1)}
    for key, code in list(codes.items()):
        if key in ("True", "False"):
            codes.setdefault(key == "True", code)
        elif is_number(key):  # "007" too, which many readers take for 7; if "7" is no other category
            codes.setdefault(float(key), codes.get(key_of(float(key)), code))
    return codes


def as_codes(column: pd.Series, codes: Mapping[Any, int]) -> np.ndarray:
    """The code of each value; 0 for what is missing or no key of `codes`."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        of_category = as_codes(pd.Series(column.cat.categories, name=column.name), codes)
        return np.append(of_category, 0)[column.cat.codes.to_numpy()]
    if isinstance(column.dtype, pd.StringDtype):  # each text once: as Python has them, they are many times the column
        number_N, texts = pd.factorize(column)
        return np.append(as_codes(pd.Series(texts, dtype=object), codes), 0)[number_N]
    values = column.tolist()
    try:
        codes_N = np.fromiter((codes.get(value, -1) for value in values), np.int64, len(values))
    except TypeError:
        require_plain(column)
        raise
    for row in np.flatnonzero(codes_N < 0):  # few: dates, decimals, what is missing or unknown
        codes_N[row] = 0 if is_missing(values[row]) else codes.get(key_of(values[row]), 0)
    return codes_N


def is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value != value


def require_plain(column: pd.Series) -> None:
    """Raise BadValue for a list or a mapping, as JSON may have."""
    if column.dtype == object:
        row = next((row for row, value in enumerate(column) if value.__hash__ is None), None)
        if row is not None:
            raise bad_value(column, "is a number, a text, a date, true or false", row)


def plain(column: pd.Series) -> pd.Series:
    """The column with the values of Python or NumPy, where pandas has types of its own for them."""
    kind = column.dtype
    if isinstance(kind, (np.dtype, pd.StringDtype, pd.CategoricalDtype, pd.DatetimeTZDtype)):
        return column
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        return pd.Series(as_numbers(column), name=column.name)
    return column.astype(object)
