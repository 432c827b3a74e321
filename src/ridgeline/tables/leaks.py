"""What looks wrong in a table: a column that gives the target away, rows that are in two splits, and the like.

N rows, C classes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ridgeline.finding import Finding
from ridgeline.quoting import pasted
from ridgeline.tables.columns import Column
from ridgeline.tables.stored import Table
from ridgeline.tables.values import Columns

ROWS = 5000
"""Of how many rows at most it is tried whether a column gives the target away."""
GIVEN_AWAY = 0.97
"""The share of the target's differences that one column explains in rows which took no part; more is a leak."""
IDENTIFIES = 0.95
"""The share of different values from which a column names the rows instead of describing them."""
GROUP_NAME = re.compile(
    r"(^|[_\W])(id|ids|uid|user|customer|client|patient|subject|person|household|group|session|site|batch|family)([_\W]|$)",
    re.IGNORECASE,
)
"""Names of columns whose values say what belongs together."""


def giveaways(frame: Columns, columns: Sequence[Column], y_N: np.ndarray, is_regression: bool) -> list[Finding]:
    """The columns that tell the target by themselves, or all but do: of the rows of a train split.

    A decision tree on one column is fitted to half of the rows and tried on the other. How much better it is than no
    column at all: R2 of numbers, and of classes the balanced accuracy, scaled so that guessing has 0.
    """
    rows = np.random.default_rng(0).permutation(len(y_N))[:ROWS]
    halves = np.array_split(rows, 2)
    found = []
    for column in columns:
        if column.role in ("dropped", "text"):
            continue
        values = frame[column.name]
        known = values.dropna()
        if known.empty or bool((known == known.iloc[0]).all()):
            continue
        x_N = _ranked(values)
        told = min(_told(x_N, y_N, halves[i], halves[1 - i], is_regression) for i in (0, 1))
        if told >= GIVEN_AWAY:
            kind = "R2" if is_regression else "scaled balanced accuracy"
            what = f"the column {column.name} gives the target away (by itself {told:.3f} of 1 in {kind})"
            found.append(
                Finding(what, f"if it is known only afterwards, {pasted('data.drop', [column.name])}", is_leak=True)
            )
    return found


def _ranked(column: pd.Series) -> np.ndarray:
    """Numbers as they are; anything else by its number in the order of its values."""
    if column.dtype.kind in "biuf":
        return column.to_numpy(np.float64)
    return pd.factorize(column, sort=column.dtype.kind == "M")[0].astype(np.float64)


def _told(x_N: np.ndarray, y_N: np.ndarray, fitted: np.ndarray, tried: np.ndarray, is_regression: bool) -> float:
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeRegressor if is_regression else DecisionTreeClassifier
    tree = kind(max_leaf_nodes=256, min_samples_leaf=2, random_state=0).fit(x_N[fitted, None], y_N[fitted])
    predicted_N = tree.predict(x_N[tried, None])
    if is_regression:
        return float(r2_score(y_N[tried], predicted_N))
    classes = np.unique(y_N[tried])
    chance = 1 / max(2, len(classes))
    return float((balanced_accuracy_score(y_N[tried], predicted_N) - chance) / (1 - chance))


def identifiers(frame: Table, columns: Sequence[Column]) -> list[Finding]:
    """The columns that only name the rows: whole numbers in their order, or texts that are all different."""
    found = []
    for column in columns:
        values = frame[column.name].dropna()
        may_name = values.dtype.kind in "iu" or column.role in ("category", "text")
        if not may_name or len(values) < 20 or values.nunique() < IDENTIFIES * len(values):
            continue
        is_named = GROUP_NAME.search(column.name) is not None
        counts_up = values.dtype.kind in "iu" and bool((values.diff().dropna() == 1).all())
        are_words = column.role in ("category", "text") and not values.astype(str).str.contains(r"\s").any()
        if counts_up or are_words or (is_named and values.dtype.kind in "iu"):
            what = (
                f"the column {column.name} looks like an identifier ({values.nunique()} values in {len(values)} rows)"
            )
            found.append(Finding(what, pasted("data.drop", [column.name])))
    return found


def twins(frame: Table, names: Sequence[str], train: np.ndarray, others: dict[str, np.ndarray]) -> list[Finding]:
    """How many rows of the other splits have a row of the same features, which are called so, in the train split."""
    hashes_N: np.ndarray = np.zeros(len(frame), np.uint64)
    for name in names:  # one at a time: as texts, all columns would be many times the table
        values = frame[name]
        values = values.astype(str) if values.dtype == object else values
        own_N = pd.util.hash_pandas_object(values, index=False).to_numpy(np.uint64)
        hashes_N = hashes_N * np.uint64(0x100000001B3) + own_N
    known = np.unique(hashes_N[train])
    found = []
    for split, rows in others.items():
        count = int(np.isin(hashes_N[rows], known).sum())
        if count:
            what = f"{count} of {len(rows)} rows of the {split} split have the same features as one of the train split"
            cure = "remove the duplicates, or name the column that says what belongs together, data.group_on=COLUMN"
            found.append(Finding(what, cure, is_leak=True))
    return found


def groups(frame: Table, columns: Sequence[Column], train: np.ndarray, test: np.ndarray) -> list[Finding]:
    """The columns whose name and repeated values say what belongs together, where that is in two splits."""
    found = []
    for column in columns:
        if GROUP_NAME.search(column.name) is None:
            continue
        values = frame[column.name]
        distinct = values.nunique()
        if not 10 <= distinct <= 0.7 * len(values):
            continue
        if values.dtype.kind == "f" and not (values.dropna() % 1 == 0).all():
            continue
        shared = set(values.iloc[train].dropna()) & set(values.iloc[test].dropna())
        if shared:
            what = f"{len(shared)} groups of the column {column.name} are in the train and in the test split"
            found.append(Finding(what, f"{pasted('data.group_on', column.name)} keeps each in one", is_leak=True))
    return found


def dates(columns: Sequence[Column]) -> list[Finding]:
    """The columns of dates, which suggest that what is predicted comes later."""
    names = [column.name for column in columns if column.role == "date"]
    if not names:
        return []
    what = f"the rows have dates ({', '.join(names)}), and the splits are drawn at random"
    return [Finding(what, f"if the future is to be predicted, {pasted('data.time_on', names[0])}")]


def of_target(y: pd.Series, is_regression: bool) -> list[Finding]:
    """Whole numbers that may be meant the other way."""
    known = y.dropna()
    if known.dtype.kind not in "iuf" or not (known % 1 == 0).all():
        return []
    distinct = known.nunique()
    if not is_regression and distinct > 2:
        what = f"the {distinct} whole numbers of {y.name} are taken for classes"
        return [Finding(what, "if they are amounts or grades, task=regression")]
    if is_regression and distinct <= 30:
        what = f"the target {y.name} has only {distinct} different numbers"
        return [Finding(what, "if they are classes, task=classification")]
    return []
