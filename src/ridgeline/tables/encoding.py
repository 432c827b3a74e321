"""Rows of a table as rows of float32: an encoder is applied to any rows, and stored as data.

N rows, C columns of numbers, K columns of categories, I inputs of the network.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError, nearest
from ridgeline.layout import Layout
from ridgeline.tables.categories import Categories
from ridgeline.tables.columns import Column, Role
from ridgeline.tables.dates import PARTS, as_dates, parts_of
from ridgeline.tables.example import restored_frame, stored_frame
from ridgeline.tables.numbers import Kind, Numbers
from ridgeline.tables.texts import Text
from ridgeline.tables.values import BadValue, Columns, as_codes, as_numbers, codes_of

CHUNK = 16_384
"""How many rows are encoded at a time: what is needed beside the result is that large."""
KINDS: dict[Role, Kind] = {"number": "number", "ordered": "part", "date": "part", "boolean": "boolean"}
"""The roles whose columns are numbers, in the order of the inputs."""


@dataclass(frozen=True)
class Encoder:
    """The inputs are, in this order: numbers, ranks, parts of dates, truth values; a mark for each that may be missing;
    categories; components of texts.

    `parts`: the parts that each date is encoded with. `example`: up to five raw rows of the train split, with the
    columns that `apply` needs.
    """

    columns: tuple[Column, ...]
    parts: Mapping[str, tuple[str, ...]]
    numbers: Numbers
    categories: Mapping[str, Categories]
    texts: Mapping[str, Text]
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
            try:
                self._write(chunk, out_NI[start : start + CHUNK])
            except BadValue as bad:
                raise bad.below(start) from None
        return out_NI

    def _write(self, frame: pd.DataFrame, out_NI: np.ndarray) -> None:
        x_NC = np.empty((len(frame), len(self.numbers.center_C)))
        for c, values_N in enumerate(read_numbers(frame, self._measured, self.parts)):
            x_NC[:, c] = values_N
        z_NC, marks_NC = self.numbers.apply(x_NC)
        n, n_marks = z_NC.shape[1], marks_NC.shape[1]
        out_NI[:, :n], out_NI[:, n : n + n_marks], out_NI[:, n + n_marks :] = z_NC, marks_NC, 0
        if self.categories:
            self._write_categories(frame, out_NI)
        position = out_NI.shape[1] - sum(len(text.mean_K) for text in self.texts.values())
        for name, text in self.texts.items():
            out_NI[:, position : position + len(text.mean_K)] = text.apply(frame[name])
            position += len(text.mean_K)

    def _write_categories(self, frame: pd.DataFrame, out_NI: np.ndarray) -> None:
        codes_NK = np.stack([as_codes(frame[name], codes) for name, codes in self._codes.items()], axis=1)
        first_K, unknown_K, embedded_K = self._positions
        position_NK = np.where(codes_NK > 0, first_K + codes_NK - 1, unknown_K)
        row_M, k_M = np.nonzero((position_NK >= 0) & ~embedded_K)
        out_NI[row_M, position_NK[row_M, k_M]] = 1
        out_NI[:, first_K[embedded_K]] = codes_NK[:, embedded_K]

    @functools.cached_property
    def _measured(self) -> tuple[Column, ...]:
        return measured_of(self.columns)

    @functools.cached_property
    def _codes(self) -> dict[str, dict[Any, int]]:
        return {name: codes_of(known.keys) for name, known in self.categories.items()}

    @functools.cached_property
    def _positions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each column of categories: the position of its first feature, that of its unknown (-1: none), and whether
        it is embedded."""
        position = len(self.numbers.center_C) + int(self.numbers.marked_C.sum())
        first, unknown = [], []
        for known in self.categories.values():
            first.append(position)
            position += known.n_features
            unknown.append(position - 1 if known.one_hot and known.unknown else -1)
        embedded_K = np.array([not known.one_hot for known in self.categories.values()], bool)
        return np.array(first, int), np.array(unknown, int), embedded_K

    @functools.cached_property
    def features(self) -> tuple[str, ...]:
        """The name of each input."""
        names = [name for column in self._measured for name in names_of(column, self.parts)]
        marks = [f"{column.name} missing" for column in self._measured if self._is_marked(column, names)]
        known = [name for column, known in self.categories.items() for name in known.features(column)]
        words = [f"{name}: component {k + 1}" for name, text in self.texts.items() for k in range(len(text.mean_K))]
        return (*names, *marks, *known, *words)

    def _is_marked(self, column: Column, names: Sequence[str]) -> bool:
        own = names_of(column, self.parts)
        return bool(own) and bool(self.numbers.marked_C[names.index(own[0])])

    @functools.cached_property
    def layout(self) -> Layout:
        """Which inputs are numbers and which are codes. Marks, truth values, one-hot columns and texts are neither."""
        kinds = [column.role for column in self._measured for _ in names_of(column, self.parts)]
        measured = [c for c, role in enumerate(kinds) if role != "boolean"]
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
            "parts": dict(self.parts),
            "standardize": self.numbers.standardize,
            "n_numbers": self.numbers.n_numbers,
            "categories": {name: vars(known) for name, known in self.categories.items()},
            "texts": {name: text.grams for name, text in self.texts.items()},
            "example": stored_frame(self.example),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        arrays = {f.name: getattr(self.numbers, f.name) for f in fields(self.numbers) if f.name not in OF_SETTINGS}
        for t, text in enumerate(self.texts.values()):
            arrays |= {f"text_{t}_{f.name}": getattr(text, f.name) for f in fields(text) if f.name not in OF_SETTINGS}
        return arrays

    @staticmethod
    def restore(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Encoder:
        """The encoder of which `stored` and `arrays` gave these: to the last bit the same."""

        def own(kind: type, prefix: str = "") -> dict[str, np.ndarray]:
            return {f.name: arrays[prefix + f.name] for f in fields(kind) if f.name not in OF_SETTINGS}

        known = settings["categories"].items()
        texts = enumerate(settings["texts"].items())
        return Encoder(
            columns=tuple(Column(**{**column, "levels": tuple(column["levels"])}) for column in settings["columns"]),
            parts={name: tuple(parts) for name, parts in settings["parts"].items()},
            numbers=Numbers(settings["standardize"], settings["n_numbers"], **own(Numbers)),
            categories={name: Categories(**{**one, "keys": tuple(one["keys"])}) for name, one in known},
            texts={name: Text(tuple(grams), **own(Text, f"text_{t}_")) for t, (name, grams) in texts},
            example=restored_frame(settings["example"]),
        )


OF_SETTINGS = ("standardize", "n_numbers", "grams")
"""The fields of Numbers and Text that are no arrays."""


def measured_of(columns: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(column for role in KINDS for column in columns if column.role == role)


def names_of(column: Column, parts: Mapping[str, Sequence[str]]) -> list[str]:
    """The features that a column of numbers has: itself, or the parts of a date."""
    if column.role == "date":
        return [f"{column.name}: {part}" for part in parts[column.name]]
    return [column.name]


def read_numbers(frame: Columns, columns: Sequence[Column], parts: Mapping[str, Sequence[str]]) -> Iterator[np.ndarray]:
    """The columns as float64, one after the other: numbers, ranks from 0 on, parts of dates, or 0 and 1; NaN where a
    value is missing or unknown."""
    for column in columns:
        values = frame[column.name]
        if column.role == "date":
            parts_NP = parts_of(as_dates(values, column.format))
            yield from (parts_NP[:, PARTS.index(part)] for part in parts[column.name])
        elif column.role == "number" or values.dtype == bool:
            yield as_numbers(values)
        else:
            rank_N = as_codes(values, codes_of(column.levels)) - 1.0
            rank_N[rank_N < 0] = np.nan
            yield rank_N
