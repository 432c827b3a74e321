"""A few raw rows of the train split: what a row of the table looks like, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ridgeline.tables.columns import Column
from ridgeline.tables.dates import as_dates
from ridgeline.tables.values import Columns, as_numbers, is_missing, key_of


def example_rows(frame: Columns, columns: Sequence[Column]) -> pd.DataFrame:
    """Rows of few missing values, as another reader of the table has them: with numbers, texts, truth values and dates
    in place of pandas' own types."""
    first = frame.head(1000)
    rows = np.sort(np.argsort(first.isna().sum(axis=1).to_numpy(), kind="stable")[:5])
    used = [column for column in columns if column.role != "dropped"]
    return pd.DataFrame({c.name: _plain_values(first[c.name].iloc[rows], c) for c in used}, index=range(len(rows)))


def _plain_values(values: pd.Series, column: Column) -> Any:
    kind = values.dtype
    if isinstance(kind, np.dtype) and kind.kind in "fiubM":
        return values.to_numpy()
    if isinstance(kind, pd.StringDtype):
        return values.astype("str").array
    known = [value for value in values.tolist() if not is_missing(value)]
    if column.role == "number" and not any(isinstance(value, str) for value in known):
        return as_numbers(values)
    if column.role == "date" and not any(isinstance(value, (str, int, float)) for value in known):
        return as_dates(values, column.format)
    simple = (bool, int, float, str)
    listed = [None if is_missing(v) else v if isinstance(v, simple) else key_of(v) for v in values.tolist()]
    return pd.Series(listed, dtype=object).infer_objects().array


def stored_frame(frame: pd.DataFrame) -> dict[str, Any]:
    """A small frame as JSON has it: the type of each column, and its values."""
    return {str(name): [str(column.dtype), _plain(column)] for name, column in frame.items()}


def _plain(column: pd.Series) -> list[Any]:
    values = column.astype(object).where(column.notna(), None).tolist()
    return [value if isinstance(value, (bool, int, float, str, type(None))) else str(value) for value in values]


def restored_frame(stored: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=dtype) for name, (dtype, values) in stored.items()})
