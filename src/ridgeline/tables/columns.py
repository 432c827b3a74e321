"""What the columns of a table are: numbers, truth values, categories, ordered categories, dates, or texts.

That is a fact about the file, read off all of its rows; nothing here is learned from them.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError, nearest
from ridgeline.quoting import pasted
from ridgeline.tables.dates import FORMATS, ISO, NUMBERS, as_dates, example_of, formats_of
from ridgeline.tables.stored import Table
from ridgeline.tables.values import as_numbers, bad_value, counted, is_number, key_of, plain, require_plain

Role = Literal["number", "boolean", "category", "ordered", "date", "text", "dropped"]

FEW = 40
"""Up to so many different texts are categories, whatever they look like: skrub's line of low cardinality."""
TRUTH = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"), ("0", "1"))


@dataclass(frozen=True)
class Column:
    """A column with its role, and why it has that. `levels`: of a boolean, what is 0 and what is 1; of an ordered one,
    the lowest first. `format`: of dates that are texts. `becomes`: what it is to the network, in words; an encoder
    knows."""

    name: str
    role: Role
    why: str
    levels: tuple[str, ...] = ()
    format: str = ISO
    becomes: str = ""


def understand(
    frame: Table,
    *,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    text: Sequence[str] = (),
    dates: Sequence[str] = (),
    ordered: Mapping[str, Sequence[object]] | None = None,
    drop: Sequence[str] = (),
) -> tuple[Column, ...]:
    """The columns of these features, in their order; what the user declares goes before what the values look like.

    `dates` may give a format too, as in `when:%d/%m/%Y`. Raises ConfigError for a declaration that does not fit.
    """
    if not all(isinstance(name, str) for name in frame.columns):
        name = next(name for name in frame.columns if not isinstance(name, str))
        raise ConfigError(f"`the names of columns are texts` must hold, but got {name}.")
    if not frame.columns.is_unique:
        name = frame.columns[frame.columns.duplicated()][0]
        raise ConfigError(f"`the names of columns differ` must hold, but got {name} twice.")
    formats = dict(with_format(entry) for entry in dates)
    declared = {
        "data.drop": drop,
        "data.categorical": categorical,
        "data.numeric": numeric,
        "data.text": text,
        "data.dates": list(formats),
        "data.ordered": list(ordered or ()),
    }
    keys: dict[str, str] = {}
    for key, names in declared.items():
        for name in names:
            if name not in frame.columns:
                raise ConfigError(f"`{key} names columns` must hold, but got {name}. {nearest(name, frame.columns)}")
            if name in keys:
                raise ConfigError(f"`a column is in one list` must hold, but got {name} in {keys[name]} and {key}.")
            keys[name] = key
    more = {**formats, **(ordered or {})}
    return tuple(_column(plain(frame[name]), keys.get(name), more.get(name)) for name in frame.columns)


def with_format(entry: str) -> tuple[str, str | None]:
    """Name and format of an entry of `data.dates`."""
    name, colon, form = entry.partition(":%")
    return (name, "%" + form) if colon else (name, None)


def _column(column: pd.Series, key: str | None, more: str | Sequence[object] | None) -> Column:
    name = str(column.name)
    if key == "data.drop":
        return Column(name, "dropped", "in data.drop")
    present = column.dropna()
    if present.empty:
        return Column(name, "dropped", "all values are missing")
    require_plain(column)
    if column.dtype.kind in "fc":
        as_numbers(column)  # refuses what is not finite
    if key is not None:
        return _declared(column, key, more)
    if len(present) == len(column) and _is_constant(present):
        return Column(name, "dropped", f"all values are {present.iloc[0]}")
    return _of_values(name, present)


def _declared(column: pd.Series, key: str, more: str | Sequence[object] | None) -> Column:
    name, why = str(column.name), f"in {key}"
    if key == "data.numeric":
        as_numbers(column)
        return Column(name, "number", why)
    if key == "data.categorical":
        return Column(name, "category", why)
    if key == "data.text":
        return Column(name, "text", why)
    if key == "data.dates":
        return _dates(column, more if isinstance(more, str) else None, why)
    return _ordered(column, [str(level) for level in more or ()], why)


def _dates(column: pd.Series, form: str | None, why: str) -> Column:
    """A column of dates in this format, or the first that all values have."""
    name = str(column.name)
    if not _is_moments(column):
        texts = [key_of(value) for value in column.dropna().unique()]
        forms = [form] if form else formats_of(texts, FORMATS + NUMBERS)
        if not forms:
            _refuse_dates(column, texts)
        as_dates(column, forms[0])
        return Column(name, "date", f"{why}, {_said(forms)}", format=forms[0])
    return Column(name, "date", why)


def _refuse_dates(column: pd.Series, texts: Sequence[str]) -> None:
    """Raise the line for the first value that is no date, or that differs in its format from the first."""
    forms = formats_of(texts[:1], FORMATS + NUMBERS)
    if forms:
        as_dates(column, forms[0])
    row = int(column.notna().to_numpy().argmax())
    cure = pasted("data.dates", [f"{column.name}:%d/%m/%Y"])
    raise ConfigError(f"{bad_value(column, 'is a date', row)} Its format: {cure}.")


def _said(forms: Sequence[str]) -> str:
    """The format in words, and what else it could be."""
    said = f"like {example_of(forms[0])}"
    others = [form for form in forms[1:] if example_of(form) != example_of(forms[0])]
    return f"{said}, or the day first: {others[0]}" if others else said


def _is_moments(column: pd.Series) -> bool:
    return column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype)


def _ordered(column: pd.Series, levels: Sequence[str], why: str) -> Column:
    """An ordered column, each of whose values is one of the levels."""
    for key in counted(column):
        if key not in levels:
            rule = f"data.ordered.{column.name} has every value"
            raise ConfigError(f"`{rule}` must hold, but {key} is not in [{', '.join(levels)}].")
    return Column(str(column.name), "ordered", why, tuple(levels))


def _is_constant(present: pd.Series) -> bool:
    return bool((present == present.iloc[0]).all())


def _of_values(name: str, present: pd.Series) -> Column:
    """The role of a column by its values that are not missing."""
    kind = present.dtype
    if isinstance(kind, pd.CategoricalDtype):
        if kind.ordered:
            return Column(name, "ordered", "an ordered category in the file", tuple(map(str, kind.categories)))
        return Column(name, "category", "a category in the file")
    if _is_moments(present):
        return Column(name, "date", "dates in the file")
    if pd.api.types.is_bool_dtype(kind):
        return Column(name, "boolean", "true and false", ("False", "True"))
    if pd.api.types.is_numeric_dtype(kind) or kind.kind == "m":
        return _of_numbers(name, present, "durations in seconds" if kind.kind == "m" else "numbers")
    distinct = list(present.unique())
    if all(isinstance(value, (bool, np.bool_)) for value in distinct):
        return Column(name, "boolean", "true and false", ("False", "True"))
    if all(isinstance(value, (int, float, np.number, decimal.Decimal)) for value in distinct):
        return _of_numbers(name, present.astype(float), "numbers")
    if all(isinstance(value, str) for value in distinct):
        return _of_texts(name, distinct, len(present))
    if all(isinstance(value, datetime.date) for value in distinct):
        return Column(name, "date", "dates in the file")
    return Column(name, "category", f"{len(distinct)} different values, not all of a kind")


def _of_numbers(name: str, present: pd.Series, why: str) -> Column:
    """Numbers, also where they are few whole ones; but 0 and 1 alone are truth values."""
    if present.head(1000).isin((0, 1)).all() and present.isin((0, 1)).all() and present.nunique() == 2:
        return Column(name, "boolean", "0 and 1", ("0", "1"))
    return Column(name, "number", why)


def _of_texts(name: str, distinct: Sequence[str], n: int) -> Column:
    low = sorted(value.lower() for value in distinct)
    if tuple(low) in TRUTH:
        levels = tuple(sorted(distinct, key=str.lower))
        return Column(name, "boolean", f"{levels[0]} and {levels[1]}", levels)
    if all(is_number(value) for value in distinct):
        if not any(_is_code(value) for value in distinct):
            return _of_numbers(name, pd.Series([float(value) for value in distinct]), "texts that are all numbers")
        why = f"{len(distinct)} codes with leading zeros"
    elif forms := formats_of(distinct):
        return Column(name, "date", _said(forms), format=forms[0])
    else:
        why = f"{len(distinct)} different texts"
    words = float(np.mean([len(value.split()) for value in distinct]))
    if len(distinct) > FEW and (2 * len(distinct) > n or (10 * len(distinct) > n and words >= 3)):
        return Column(name, "text", f"{why} in {n} rows, {words:.1f} words each")
    return Column(name, "category", why)


def _is_code(value: str) -> bool:
    """Whether the text is no number but a code: a zero goes before other digits, as in 007."""
    digits = value.strip().lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
