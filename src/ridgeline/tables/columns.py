"""What the columns of a table are: numbers, truth values, categories, ordered categories, dates, or texts.

That is a fact about the file, read off all of its rows; nothing here is learned from them.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ridgeline.checking import ConfigError, nearest
from ridgeline.tables.values import as_numbers, counted, is_number, rule_of

Role = Literal["number", "boolean", "category", "ordered", "date", "text", "dropped"]

FEW = 40
"""Up to so many different texts are categories, whatever they look like: skrub's line of low cardinality."""
TRUTH = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"), ("0", "1"))


@dataclass(frozen=True)
class Column:
    """A column with its role, and why it has that. `levels`: of a boolean, what is 0 and what is 1; of an ordered one,
    the lowest first. `becomes`: what it is to the network, in words; an encoder knows."""

    name: str
    role: Role
    why: str
    levels: tuple[str, ...] = ()
    becomes: str = ""


def understand(
    frame: pd.DataFrame,
    *,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    text: Sequence[str] = (),
    ordered: Mapping[str, Sequence[object]] | None = None,
    drop: Sequence[str] = (),
) -> tuple[Column, ...]:
    """The columns of these features, in their order; what the user declares goes before what the values look like.

    Raises ConfigError for a declaration that does not fit.
    """
    if not frame.columns.is_unique:
        name = frame.columns[frame.columns.duplicated()][0]
        raise ConfigError(f"`the names of columns differ` must hold, but got {name} twice.")
    declared = {
        "data.drop": drop,
        "data.categorical": categorical,
        "data.numeric": numeric,
        "data.text": text,
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
    return tuple(_column(frame[name], keys.get(name), (ordered or {}).get(name, ())) for name in frame.columns)


def _column(column: pd.Series, key: str | None, levels: Sequence[object]) -> Column:
    name = str(column.name)
    if key == "data.drop":
        return Column(name, "dropped", "in data.drop")
    present = column.dropna()
    if present.empty:
        return Column(name, "dropped", "all values are missing")
    if key is not None:
        return _declared(column, key, levels)
    if len(present) == len(column) and _is_constant(present):
        return Column(name, "dropped", f"all values are {present.iloc[0]}")
    return _of_values(name, present)


def _declared(column: pd.Series, key: str, levels: Sequence[object]) -> Column:
    name, why = str(column.name), f"in {key}"
    if key == "data.numeric":
        as_numbers(column)
        return Column(name, "number", why)
    if key == "data.categorical":
        return Column(name, "category", why)
    if key == "data.text":
        return Column(name, "text", why)
    return _ordered(column, [str(level) for level in levels], why)


def _ordered(column: pd.Series, levels: Sequence[str], why: str) -> Column:
    """An ordered column, each of whose values is one of the levels."""
    for key in counted(column):
        if key not in levels:
            rule = f"data.ordered.{column.name} has every value"
            raise ConfigError(f"`{rule}` must hold, but {key} is not in [{', '.join(levels)}].")
    return Column(str(column.name), "ordered", why, tuple(levels))


def _is_constant(present: pd.Series) -> bool:
    try:
        return bool((present == present.iloc[0]).all())
    except (TypeError, ValueError):
        return False


def _of_values(name: str, present: pd.Series) -> Column:
    """The role of a column by its values that are not missing."""
    kind = present.dtype
    if isinstance(kind, pd.CategoricalDtype):
        if kind.ordered:
            return Column(name, "ordered", "an ordered category in the file", tuple(map(str, kind.categories)))
        return Column(name, "category", "a category in the file")
    if pd.api.types.is_bool_dtype(kind):
        return Column(name, "boolean", "true and false", ("False", "True"))
    if pd.api.types.is_numeric_dtype(kind):
        return _of_numbers(name, present, "numbers")
    distinct = list(present.unique()) if _hashable(present) else []
    if not distinct:
        raise ConfigError(rule_of(present, "is a number, a text, a date, true or false", 0))
    if all(isinstance(value, (bool, np.bool_)) for value in distinct):
        return Column(name, "boolean", "true and false", ("False", "True"))
    if all(isinstance(value, (int, float, np.number, decimal.Decimal)) for value in distinct):
        return _of_numbers(name, present.astype(float), "numbers")
    if all(isinstance(value, str) for value in distinct):
        return _of_texts(name, distinct, len(present))
    return Column(name, "category", f"{len(distinct)} different values, not all of a kind")


def _hashable(present: pd.Series) -> bool:
    return all(value.__hash__ is not None for value in present)


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
