"""Rows of a table as rows of float32: fitted on the train split, stored as data, applied to any rows.

N rows, C columns of numbers, K columns of categories, I inputs of the network.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError, nearest
from ridgeline.layout import Layout
from ridgeline.tables.categories import Categories, fit_categories
from ridgeline.tables.columns import Column, Role
from ridgeline.tables.numbers import Kind, Numbers, Standardize, fit_numbers
from ridgeline.tables.values import as_codes, as_numbers, codes_of

CHUNK = 65_536
"""How many rows are encoded at a time: what is needed beside the result is that large."""
ORDER: tuple[Role, ...] = ("number", "ordered", "boolean")
"""The roles whose columns are numbers, in the order of the inputs."""
KINDS: dict[str, Kind] = {"number": "number", "ordered": "part", "boolean": "boolean"}


@dataclass(frozen=True)
class Encoder:
    """The inputs are, in this order: numbers, ranks, truth values; marks of missing ones; categories.

    `example`: up to five raw rows of the train split, with the columns that `apply` needs.
    """

    columns: tuple[Column, ...]
    numbers: Numbers
    categories: Mapping[str, Categories]
    example: pd.DataFrame

    def apply(self, frame: pd.DataFrame, out: np.ndarray | None = None) -> np.ndarray:
        """The inputs, float32, (N, I), without NaN or infinity; in `out` where given, such as a memory map.

        Other columns and another order of columns change nothing; a category that is unknown is encoded as that.
        Raises ConfigError for a missing column, a text in a column of numbers, or a number beyond float32.
        """
        for name in self.example.columns:
            if name not in frame.columns:
                raise ConfigError(f"`the table has the column {name}` must hold. {nearest(name, frame.columns)}")
        out_NI = np.empty((len(frame), len(self.features)), np.float32) if out is None else out
        for start in range(0, len(frame), CHUNK):
            chunk = frame if len(frame) <= CHUNK else frame.iloc[start : start + CHUNK]
            self._write(chunk, out_NI[start : start + CHUNK])
        return out_NI

    def _write(self, frame: pd.DataFrame, out_NI: np.ndarray) -> None:
        numbers = [_numbers_of(frame[column.name], column) for column in self._number_columns]
        x_NC = np.stack(numbers, axis=1) if numbers else np.zeros((len(frame), 0))
        z_NC, marks_NC = self.numbers.apply(x_NC)
        n, n_marks = z_NC.shape[1], marks_NC.shape[1]
        out_NI[:, :n], out_NI[:, n : n + n_marks], out_NI[:, n + n_marks :] = z_NC, marks_NC, 0
        if not self.categories:
            return
        codes_NK = np.stack([as_codes(frame[name], codes) for name, codes in self._codes.items()], axis=1)
        first_K, unknown_K, embedded_K = self._positions
        position_NK = np.where(codes_NK > 0, first_K + codes_NK - 1, unknown_K)
        row_M, k_M = np.nonzero((position_NK >= 0) & ~embedded_K)
        out_NI[row_M, position_NK[row_M, k_M]] = 1
        out_NI[:, first_K[embedded_K]] = codes_NK[:, embedded_K]

    @functools.cached_property
    def _number_columns(self) -> tuple[Column, ...]:
        return number_columns(self.columns)

    @functools.cached_property
    def _codes(self) -> dict[str, dict[Any, int]]:
        return {name: codes_of(known.keys) for name, known in self.categories.items()}

    @functools.cached_property
    def _positions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each column of categories: the position of its first feature, that of its unknown (-1: none), and whether
        it is embedded."""
        n_before = len(self.features) - sum(known.n_features for known in self.categories.values())
        first, unknown = [], []
        for known in self.categories.values():
            first.append(n_before)
            n_before += known.n_features
            unknown.append(n_before - 1 if known.one_hot and known.unknown else -1)
        embedded_K = np.array([not known.one_hot for known in self.categories.values()], bool)
        return np.array(first, int), np.array(unknown, int), embedded_K

    @functools.cached_property
    def features(self) -> tuple[str, ...]:
        """The name of each input."""
        names = [column.name for column in self._number_columns]
        marks = [f"{name} missing" for name, marked in zip(names, self.numbers.marked_C, strict=True) if marked]
        return (*names, *marks, *(f for name, known in self.categories.items() for f in known.features(name)))

    @functools.cached_property
    def layout(self) -> Layout:
        measured = [c for c, column in enumerate(self._number_columns) if column.role != "boolean"]
        first_K, _, embedded_K = self._positions
        known = list(self.categories.values())
        return Layout(
            n_inputs=len(self.features),
            numbers=tuple(measured),
            quantiles=tuple(tuple(self.numbers.bounds_BC[:, c].astype(np.float32).tolist()) for c in measured),
            codes=tuple((int(first_K[k]), len(known[k].keys) + 1) for k in np.flatnonzero(embedded_K)),
        )

    def stored(self) -> dict[str, Any]:
        """All but `arrays()`, as JSON has it."""
        return {
            "columns": [vars(column) for column in self.columns],
            "standardize": self.numbers.standardize,
            "n_numbers": self.numbers.n_numbers,
            "categories": {name: vars(known) for name, known in self.categories.items()},
            "example": stored_frame(self.example),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in vars(self.numbers).items() if isinstance(value, np.ndarray)}

    @staticmethod
    def restore(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Encoder:
        """The encoder of which `stored` and `arrays` gave these: to the last bit the same."""
        columns = tuple(Column(**{**column, "levels": tuple(column["levels"])}) for column in settings["columns"])
        categories = {
            name: Categories(**{**known, "keys": tuple(known["keys"])})
            for name, known in settings["categories"].items()
        }
        numbers = Numbers(settings["standardize"], settings["n_numbers"], **arrays)
        return Encoder(columns, numbers, categories, restored_frame(settings["example"]))


def number_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(column for role in ORDER for column in columns if column.role == role)


def _numbers_of(values: pd.Series, column: Column) -> np.ndarray:
    """A column of numbers as float64: the numbers, the ranks from 0 on, or 0 and 1; NaN where missing or unknown."""
    if column.role == "number" or (column.role == "boolean" and values.dtype == bool):
        return as_numbers(values)
    rank_N: np.ndarray = as_codes(values, codes_of(column.levels)) - 1.0
    rank_N[rank_N < 0] = np.nan
    return rank_N


def fit_encoder(
    frame_train: pd.DataFrame,
    columns: Sequence[Column],
    *,
    standardize: Standardize = "feature",
    one_hot: int = 32,
    vocabulary: pd.DataFrame | None = None,
) -> Encoder:
    """What the train rows say about these columns. Every number that is learned is of `frame_train`.

    The rows of `vocabulary` decide which inputs there are: which categories are known, and which columns have a mark
    for missing values. In cross-validation that are the rows of all folds, so that the folds have the same inputs.
    """
    known = frame_train if vocabulary is None else vocabulary
    measured = number_columns(columns)

    def read(column: Column) -> Callable[[], np.ndarray]:
        return lambda: _numbers_of(frame_train[column.name], column)

    numbers = fit_numbers(
        [read(column) for column in measured],
        [KINDS[column.role] for column in measured],
        [bool(np.isnan(_numbers_of(known[column.name], column)).any()) for column in measured],
        standardize,
    )
    categories = {c.name: fit_categories(known[c.name], one_hot) for c in columns if c.role == "category"}
    marked = {column.name for column, mark in zip(measured, numbers.marked_C, strict=True) if mark}
    told = tuple(
        replace(c, becomes=_becomes(c, standardize, c.name in marked, categories.get(c.name))) for c in columns
    )
    used = [column.name for column in columns if column.role != "dropped"]
    return Encoder(told, numbers, categories, frame_train[used].head(5).reset_index(drop=True))


SCALES = {
    "feature": "standardized",
    "quantile": "its normal quantile",
    "squash": "scaled by its quartiles, clipped smoothly",
    "all": "standardized with all numbers together",
    "none": "as it is",
}


def _becomes(column: Column, standardize: Standardize, marked: bool, known: Categories | None) -> str:
    if known is not None:
        return known.becomes()
    scale = {"number": SCALES[standardize], "ordered": "its rank, standardized", "boolean": "0 or 1"}
    return scale.get(column.role, "nothing") + ", with a mark where it is missing" * marked


def stored_frame(frame: pd.DataFrame) -> dict[str, Any]:
    """A small frame as JSON has it: the type of each column, and its values."""
    return {str(name): [str(column.dtype), _plain(column)] for name, column in frame.items()}


def _plain(column: pd.Series) -> list[Any]:
    values = column.astype(object).where(column.notna(), None).tolist()
    return [value if isinstance(value, (bool, int, float, str, type(None))) else str(value) for value in values]


def restored_frame(stored: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=dtype) for name, (dtype, values) in stored.items()})
