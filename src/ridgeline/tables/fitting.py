"""An encoder is fitted: what the train rows say about the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ridgeline.tables.categories import fit_categories
from ridgeline.tables.columns import Column
from ridgeline.tables.dates import PARTS, as_dates, parts_of
from ridgeline.tables.encoding import KINDS, Encoder, measured_of, names_of, read_numbers
from ridgeline.tables.example import example_rows
from ridgeline.tables.numbers import Standardize, fit_numbers
from ridgeline.tables.texts import N_COMPONENTS, Text, fit_text
from ridgeline.tables.values import Columns


def fit_encoder(
    frame_train: Columns,
    columns: Sequence[Column],
    *,
    standardize: Standardize = "feature",
    one_hot: int = 32,
    vocabulary: Columns | None = None,
) -> Encoder:
    """What the train rows say about these columns. Every number that is learned is of `frame_train`.

    The rows of `vocabulary` decide which inputs there are: which categories are known, and which columns have a mark
    for missing values. In cross-validation that are the rows of all folds, so that the folds have the same inputs.
    """
    known = frame_train if vocabulary is None else vocabulary
    measured = measured_of(columns)
    parts = {column.name: _parts(known, column) for column in columns if column.role == "date"}
    kinds = [KINDS[column.role] for column in measured for _ in names_of(column, parts)]
    marked = [mark for column in measured for mark in _marks(known, column, parts)]
    categories = {c.name: fit_categories(known[c.name], one_hot) for c in columns if c.role == "category"}
    texts = {c.name: _fit_text(frame_train[c.name], known[c.name]) for c in columns if c.role == "text"}
    encoder = Encoder(
        columns=tuple(columns),
        parts=parts,
        numbers=fit_numbers(read_numbers(frame_train, measured, parts), kinds, marked, standardize),
        categories=categories,
        texts=texts,
        example=example_rows(frame_train, columns),
    )
    return replace(encoder, columns=tuple(replace(c, becomes=_becomes(c, encoder)) for c in columns))


def _parts(known: Columns, column: Column) -> tuple[str, ...]:
    """The parts of a date that differ among the known rows."""
    parts_NP = parts_of(as_dates(known[column.name], column.format))
    parts_NP = parts_NP[~np.isnan(parts_NP[:, 0])]
    return tuple(part for part, values_N in zip(PARTS, parts_NP.T, strict=True) if len(np.unique(values_N)) > 1)


def _marks(known: Columns, column: Column, parts: Mapping[str, Sequence[str]]) -> list[bool]:
    """For each feature of the column whether it has a mark: the first of them, where a known row has no value."""
    features = [bool(np.isnan(values_N).any()) for values_N in read_numbers(known, [column], parts)]
    return [any(features), *[False] * (len(features) - 1)][: len(features)]


def _fit_text(train: pd.Series, known: pd.Series) -> Text:
    return fit_text(train, min(N_COMPONENTS, known.nunique()))


SCALES = {
    "feature": "standardized",
    "quantile": "its normal quantile",
    "squash": "scaled by its quartiles, clipped smoothly",
    "all": "standardized with all numbers together",
    "none": "as it is",
}


def _becomes(column: Column, encoder: Encoder) -> str:
    """What the column is to the network, in words."""
    name = column.name
    if column.role == "category":
        return encoder.categories[name].becomes()
    if column.role == "text":
        return f"{len(encoder.texts[name].mean_K)} components of its n-grams"
    said = {
        "number": SCALES[encoder.numbers.standardize],
        "ordered": "its rank, standardized",
        "date": ", ".join(encoder.parts.get(name, ())),
        "boolean": "0 or 1",
    }
    marked = f"{name} missing" in encoder.features
    return said.get(column.role, "nothing") + ", with a mark where it is missing" * marked
