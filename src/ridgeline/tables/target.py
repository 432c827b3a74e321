"""The column that is predicted: which task it asks for, its classes or numbers, and the rows that have it.

N rows, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError, nearest, require
from ridgeline.tables.stored import Table
from ridgeline.tasks.losses import Task

MOST_CLASSES = 20
"""Of whole numbers: a target with more different ones is taken for a number."""

FEWEST_ROWS = 5
"""Of a class: train, validation and test split each need one, and the train split more. Rarer classes are left out."""


@dataclass(frozen=True)
class Target:
    """`y_N`: classes as int64 from 0 to C-1, in the order of `class_names`; numbers as float64, and no class names.

    `rows_N`: the row numbers of the frame that these are of, ascending. `missing`: how many rows have no target.
    `rare`: the classes that are left out, each with its number of rows.
    """

    task: Task
    why: str
    y_N: np.ndarray
    class_names: tuple[str, ...]
    rows_N: np.ndarray
    missing: int
    rare: tuple[tuple[str, int], ...]


def column_of(frame: Table, name: str, key: str) -> pd.Series:
    """Raises ConfigError, with the nearest names, for a column that is not there."""
    if name not in frame.columns:
        near = nearest(name, map(str, frame.columns))
        raise ConfigError(f"`{key} is a column` must hold, but got {key}={name}. {near}")
    return frame[name]


def task_of(column: pd.Series) -> tuple[Task, str]:
    """What a column asks for, and why: the values decide, not their type alone."""
    known = column.dropna()
    distinct = known.nunique()
    if pd.api.types.is_bool_dtype(known) or not pd.api.types.is_numeric_dtype(known):
        return "classification", f"its values are {'true and false' if pd.api.types.is_bool_dtype(known) else 'names'}"
    if not (known == known.round()).all():
        return "regression", "its values are numbers with a fraction"
    if distinct <= MOST_CLASSES and not _is_scale(np.unique(known)):
        return "classification", f"its values are {distinct} different whole numbers"
    return "regression", f"its values are {distinct} different numbers"


def _is_scale(values: np.ndarray) -> bool:
    """Whether these whole numbers, sorted, are all of those that a scale has, such as grades from 3 to 9 or 0, 10, ...,
    100. Classes are numbered from 0 or 1 (of three, from -1); codes that mean something else have gaps."""
    steps = np.unique(np.diff(values))
    return len(values) > 2 and len(steps) == 1 and not (steps[0] == 1 and values[0] in (-1, 0, 1))


def read_target(column: pd.Series, task: Task, positive: str | None = None) -> Target:
    """The target as numbers. `positive`: the class that comes last, which figures of two classes are about.

    Rows without a target are left out, and so are those of classes with fewer than `FEWEST_ROWS`. Raises ConfigError
    where nothing is left to tell apart.
    """
    key, name = "data.target", column.name
    present_N = column.notna().to_numpy()
    missing = int((~present_N).sum())
    require(bool(present_N.any()), f"{key} has values", key, f"{name}, which is missing in all {len(column)} rows")
    found, why = task_of(column)
    why = why if found == task else f"task={task} says so"
    rows_N = np.flatnonzero(present_N)
    known = column.iloc[rows_N]
    if task == "regression":
        require(positive is None, "data.positive only in classification", "data.positive", positive)
        return Target(task, why, _numbers(known, key), (), rows_N, missing, ())
    number_N, values = pd.factorize(known)  # each value once: texts of Python are many times the column
    names, name_V = np.unique(names_of(pd.Series(values)), return_inverse=True)
    names_N = name_V[number_N]
    counts = np.bincount(names_N)
    rare = tuple((str(n), int(c)) for n, c in zip(names, counts, strict=True) if c < FEWEST_ROWS)
    kept = [str(n) for n, c in zip(names, counts, strict=True) if c >= FEWEST_ROWS]
    left = f"{name} with {', '.join(map(str, kept)) or 'none'}" + (f" and {len(rare)} rarer classes" if rare else "")
    require(len(kept) > 1, f"{key} has two classes of {FEWEST_ROWS} rows or more", key, left)
    ordered = _in_order(kept, positive)
    class_of = np.array([ordered.index(name) if name in ordered else -1 for name in map(str, names)], np.int64)
    y_N = class_of[names_N]
    is_kept_N = y_N >= 0
    return Target(task, why, y_N[is_kept_N], tuple(ordered), rows_N[is_kept_N], missing, rare)


def names_of(column: pd.Series) -> np.ndarray:
    """Each value as a class is called: whole numbers without a point."""
    if pd.api.types.is_float_dtype(column) and (column == column.round()).all():
        column = column.astype("int64")
    return column.astype(str).to_numpy(object)


def _in_order(names: list[str], positive: str | None) -> list[str]:
    """By number where all are numbers, else by name; the positive class last."""
    try:
        ordered = sorted(names, key=float)
    except ValueError:
        ordered = sorted(names)
    if positive is None:
        return ordered
    require(positive in names, f"data.positive in {{{', '.join(ordered)}}}", "data.positive", positive)
    require(len(names) == 2, "data.positive only of two classes", "data.positive", positive)
    return [name for name in ordered if name != positive] + [positive]


def _numbers(column: pd.Series, key: str) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(numbers) | (np.abs(numbers) > np.finfo(np.float32).max))
    if len(wrong):
        rule = f"{key} has numbers within float32's range in regression"
        raise ConfigError(f"`{rule}` must hold, but got {key}={column.name} with {column.iloc[wrong[0]]}.")
    rule = f"{key} has two different numbers"
    require(len(np.unique(numbers)) > 1, rule, key, f"{column.name} with {numbers[0]} alone")
    return numbers
