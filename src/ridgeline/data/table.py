"""The examples of data=table: the rows of a file, whose columns are features but for those with a part of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError
from ridgeline.config.data import DataConfig
from ridgeline.config.table import TableConfig
from ridgeline.data.given import read_split_names
from ridgeline.data.source import Source, TableFacts
from ridgeline.quoting import pasted
from ridgeline.tables.columns import Column, understand, with_format
from ridgeline.tables.dates import ISO, as_dates, formats_of
from ridgeline.tables.finite import require_finite, require_numbers
from ridgeline.tables.frames import open_table
from ridgeline.tables.reading import Reading
from ridgeline.tables.stored import StoredTable
from ridgeline.tables.target import column_of, read_target

OF_ROWS = {field.name for field in fields(TableConfig)} - {field.name for field in fields(DataConfig)} - {"leaks"}
"""Settings from which it follows what a row's features and target are, beside the task and the standardization."""


def read_table_source(config: TableConfig) -> Source:
    """Features as the file has them, with their columns; the rows of a test file come last.

    Rows without a target, and of classes that are too rare, are in no split. Raises ConfigError for bad files.
    """
    assert config.path is not None
    assert config.target is not None
    reading = open_table(config.path, missing=config.missing, strings=config.strings)
    _require_numbers(reading, config)
    frame, contents = reading.table, [reading.content]
    n_test = 0
    if config.test_path is not None:
        tested = open_table(config.test_path, key="data.test_path", missing=config.missing, strings=config.strings)
        _require_numbers(tested, config)
        frame, n_test = _below(frame, tested.table, config), len(tested.table)
        contents.append(tested.content)
    target = read_target(column_of(frame, config.target, "data.target"), config.predicted, config.positive)
    own = config.columns_beside_features()
    for key, name in own.items():
        column_of(frame, name, key)
    features = frame.drop(list(own.values()))
    columns = understand(
        features,
        categorical=config.categorical,
        numeric=config.numeric,
        text=config.text,
        dates=[entry for entry in config.dates if entry.partition(":%")[0] != config.time_on],
        ordered=config.ordered.tree(),
        drop=config.drop,
    )
    _require_feature(columns, config)
    kept, formats = target.rows_N, dict(with_format(entry) for entry in config.dates)

    def of(name: str | None, as_numbers: Callable[[pd.Series, str], np.ndarray], key: str) -> np.ndarray | None:
        return None if name is None else as_numbers(frame[name].iloc[kept], key)

    settings = {name: getattr(config, name) for name in OF_ROWS} | {"ordered": config.ordered.tree()}
    text = json.dumps([contents, config.predicted, settings], sort_keys=True)
    return Source(
        None,
        target.y_N,
        hashlib.sha256(text.encode()).hexdigest(),
        n_test=int((kept >= len(frame) - n_test).sum()),
        class_names=target.class_names,
        table=TableFacts(reading.said, frame[config.target], target),
        frame=features if len(kept) == len(features) else replace(features, rows_N=kept),
        columns=columns,
        groups_N=of(config.group_on, _groups, "data.group_on"),
        times_N=of(config.time_on, partial(_times, form=formats.get(str(config.time_on))), "data.time_on"),
        weights_N=of(config.weight, _weights, "data.weight"),
        given_N=of(config.split_column, _given, "data.split_column"),
        examples=hashlib.sha256(json.dumps([contents, config.target, config.predicted]).encode()).hexdigest(),
    )


def _require_numbers(reading: Reading, config: TableConfig) -> None:
    """Raise ConfigError, with the line of the file, for what is no number where it must be, and for infinite ones."""
    names = [name for name in reading.table.columns if name not in config.drop]
    require_numbers(reading.table, [name for name in config.numeric if name in names], reading.place)
    require_finite(reading.table, names, reading.place)


def _require_feature(columns: Sequence[Column], config: TableConfig) -> None:
    """Raise ConfigError where no column is left to learn from."""
    if all(column.role == "dropped" for column in columns):
        others = "; ".join(f"{column.name}: {column.why}" for column in columns) or "no column"
        rule = "the table has features beside data.target"
        raise ConfigError(f"`{rule}` must hold, but got data.target={config.target} beside {others}.")


def _below(frame: StoredTable, tested: StoredTable, config: TableConfig) -> StoredTable:
    """The rows of the test file below the others. Raises ConfigError where it lacks one of their columns."""
    lacking = [str(name) for name in frame.columns if name not in tested.columns]
    if lacking:
        rule = "data.test_path has the columns of data.path"
        raise ConfigError(
            f"`{rule}` must hold, but got data.test_path={config.test_path} without {', '.join(lacking)}."
        )
    return frame.above(tested)


def _groups(column: pd.Series, key: str) -> np.ndarray:
    """Each group's number. A row without a group is one of its own."""
    numbers_N = pd.factorize(column)[0].astype(np.int64)
    alone_N = np.flatnonzero(numbers_N < 0)
    numbers_N[alone_N] = numbers_N.max() + 1 + np.arange(len(alone_N))
    return numbers_N


def _given(column: pd.Series, key: str) -> np.ndarray:
    return read_split_names(column, key)


def _times(column: pd.Series, key: str, form: str | None) -> np.ndarray:
    """Numbers as they are, dates as seconds, read in their one format or in this one. Raises ConfigError for a row
    without a time, and where dates could be in several orders."""
    if pd.api.types.is_numeric_dtype(column):
        times_N = column.to_numpy(np.float64)
        _require_each(column, np.isfinite(times_N), f"{key} is a date or a number in each row")
        return times_N
    _require_each(column, column.notna().to_numpy(), f"{key} is a date or a number in each row")
    if pd.api.types.is_datetime64_any_dtype(column):
        return _seconds(column, ISO)
    texts = [str(text) for text in column.unique()]
    forms = [form] if form is not None else formats_of(texts)
    if not forms:
        is_one_N = np.array([bool(formats_of([text], formats_of(texts[:1]) or [ISO])) for text in column])
        _require_each(column, is_one_N, f"{key} is a date or a number in each row, all written alike")
    first_N = _seconds(column, forms[0])
    others = [one for one in forms[1:] if not np.array_equal(_seconds(column, one), first_N)]
    if others:
        could = f"{column.iloc[0]}, which could be {forms[0]} or {others[0]}"
        cure = f"{pasted('data.dates', [f'{column.name}:{others[0]}'])} says which"
        raise ConfigError(f"`{key} has dates of one format` must hold, but got {column.name} with {could}; {cure}.")
    return first_N


def _seconds(column: pd.Series, form: str) -> np.ndarray:
    seconds_N: np.ndarray = as_dates(column, form).astype(np.int64) / 1e6
    return seconds_N


def _weights(column: pd.Series, key: str) -> np.ndarray:
    """Raises ConfigError for one that is missing or below 0."""
    weights_N = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    _require_each(column, np.isfinite(weights_N) & (weights_N >= 0), f"{key} is a finite number >= 0 in each row")
    return weights_N


def _require_each(column: pd.Series, holds_N: np.ndarray, rule: str) -> None:
    """Raise ConfigError with the first row for which it does not hold."""
    if not holds_N.all():
        row = int(np.argmin(holds_N))
        found = f"{column.name} with {column.iloc[row]} in row {column.index[row] + 1}"
        raise ConfigError(f"`{rule}` must hold, but got {found}.")
