"""The examples of data=table: the rows of a file, whose columns are features but for those with a part of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError, require
from ridgeline.config.data import DataConfig
from ridgeline.config.table import TableConfig
from ridgeline.data.given import read_split_names
from ridgeline.data.source import Source, TableFacts
from ridgeline.tables.columns import understand
from ridgeline.tables.finite import require_finite, require_numbers
from ridgeline.tables.frames import open_table
from ridgeline.tables.reading import Reading
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
    frame, contents = reading.frame, [reading.content]
    n_test = 0
    if config.test_path is not None:
        tested = open_table(config.test_path, key="data.test_path", missing=config.missing, strings=config.strings)
        _require_numbers(tested, config)
        frame, n_test = _below(frame, tested.frame, config), len(tested.frame)
        contents.append(tested.content)
    target = read_target(column_of(frame, config.target, "data.target"), config.predicted, config.positive)
    own = config.columns_with_a_part()
    for key, name in own.items():
        column_of(frame, name, key)
    features = frame.drop(columns=list(dict.fromkeys(own.values())))
    columns = understand(
        features,
        categorical=config.categorical,
        numeric=config.numeric,
        text=config.text,
        dates=config.dates,
        ordered=config.ordered.tree(),
        drop=config.drop,
    )
    kept = target.rows_N

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
        frame=features.iloc[kept].reset_index(drop=True),
        columns=columns,
        groups_N=of(config.group_on, _groups, "data.group_on"),
        times_N=of(config.time_on, _times, "data.time_on"),
        weights_N=of(config.weight, _weights, "data.weight"),
        given_N=of(config.split_column, _given, "data.split_column"),
    )


def _require_numbers(reading: Reading, config: TableConfig) -> None:
    """Raise ConfigError, with the line of the file, for what is no number where it must be, and for infinite ones."""
    names = [name for name in reading.frame.columns if name not in config.drop]
    require_numbers(reading.frame, [name for name in config.numeric if name in names], reading.place)
    require_finite(reading.frame, names, reading.place)


def _below(frame: pd.DataFrame, tested: pd.DataFrame, config: TableConfig) -> pd.DataFrame:
    """The rows of the test file below the others. Raises ConfigError where it lacks one of their columns."""
    lacking = [str(name) for name in frame.columns if name not in tested.columns]
    if lacking:
        rule = "data.test_path has the columns of data.path"
        raise ConfigError(
            f"`{rule}` must hold, but got data.test_path={config.test_path} without {', '.join(lacking)}."
        )
    return pd.concat([frame, tested[list(frame.columns)]], ignore_index=True)


def _groups(column: pd.Series, key: str) -> np.ndarray:
    """Each group's number. A row without a group is one of its own."""
    numbers_N = pd.factorize(column)[0].astype(np.int64)
    alone_N = np.flatnonzero(numbers_N < 0)
    numbers_N[alone_N] = numbers_N.max() + 1 + np.arange(len(alone_N))
    return numbers_N


def _given(column: pd.Series, key: str) -> np.ndarray:
    return read_split_names(column.tolist(), key, str(column.name))


def _times(column: pd.Series, key: str) -> np.ndarray:
    """Numbers as they are, dates as seconds. Raises ConfigError for a row without a time."""
    known = column
    if not pd.api.types.is_numeric_dtype(known):
        known = pd.to_datetime(known, errors="coerce", format="mixed")
        known = known.astype("datetime64[ns]").astype("int64").where(known.notna()) / 1e9
    times_N = known.to_numpy(np.float64)
    wrong_N = np.flatnonzero(~np.isfinite(times_N))
    if len(wrong_N):
        shown = f"{column.name} with {column.iloc[wrong_N[0]]} in row {wrong_N[0] + 1}"
        require(False, f"{key} is a date or a number in each row", key, shown)
    return times_N


def _weights(column: pd.Series, key: str) -> np.ndarray:
    """Raises ConfigError for one that is missing or below 0."""
    weights_N = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong_N = np.flatnonzero(~(np.isfinite(weights_N) & (weights_N >= 0)))
    if len(wrong_N):
        shown = f"{column.name} with {column.iloc[wrong_N[0]]} in row {wrong_N[0] + 1}"
        require(False, f"{key} is a finite number >= 0 in each row", key, shown)
    return weights_N
