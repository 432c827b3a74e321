"""Tables of a folder, each with its three splits: those that are published where they are known.

TALENT (Liu et al. 2024) draws a fifth of the rows to test, then a fifth of the rest to validate, with seed 42,
stratified by class. Its source order of bank_marketing is another one, so its rows are in a file; adult has an official
test split.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

OPEN = (
    *("credit_g", "kc1", "arrhythmia", "anneal", "car", "vehicle", "phoneme", "adult", "bank_marketing"),
    *("jungle_chess", "cpu_act", "ames", "diamonds", "houses", "socmob"),
)
"""The fifteen tables of the benchmark."""
EXACT = ("kc1", "vehicle", "phoneme", "adult", "bank_marketing", "jungle_chess", "cpu_act", "houses", "socmob")
"""Those whose splits are the ones that TALENT's published figures are of: checked, see anchors.csv."""
LOGARITHM = ("ames",)
"""Whose target is a price, of which all methods get the logarithm."""
OFFICIAL_TEST_ROWS = 16_281
"""Of adult: the first rows of the file."""
DRAW = 42


@dataclass(frozen=True)
class Table:
    """`frame` has the features and `target`, in the order of the file. `rows`: numbers of the rows of each split."""

    name: str
    frame: pd.DataFrame
    target: str
    categorical: tuple[str, ...]
    is_regression: bool
    rows: dict[str, np.ndarray]

    @cached_property
    def classes(self) -> np.ndarray:
        """What the classes are called, in order."""
        return np.unique(self.frame[self.target].astype(str))

    def numbers_of(self, split: str) -> np.ndarray:
        """The targets of a split: of a class its place among `classes`."""
        values = self.frame[self.target].iloc[self.rows[split]]
        if self.is_regression:
            return values.to_numpy(np.float64)
        return np.searchsorted(self.classes, values.astype(str).to_numpy(str))

    def features_of(self, split: str) -> pd.DataFrame:
        """Without the target; categories of all splits alike, those that train alone are known."""
        frame = self.frame.drop(columns=self.target)
        for name in self.categorical:
            text = frame[name].map(lambda value: np.nan if pd.isna(value) else str(value))
            frame[name] = pd.Categorical(text, categories=sorted(text.iloc[self.rows["train"]].dropna().unique()))
        return frame.iloc[self.rows[split]].reset_index(drop=True)


def read_table(folder: Path, name: str) -> Table:
    (about,) = (table for table in json.loads((folder / "index.json").read_text()) if table["name"] == name)
    frame = pd.read_csv(folder / about["file"], keep_default_na=False, na_values=[""])
    is_regression = about["task"] == "regression"
    if name in LOGARITHM:
        frame[about["target"]] = np.log(frame[about["target"]])
    rows = _rows_of(folder, name, None if is_regression else frame[about["target"]].to_numpy(str))
    rows = rows or _drawn(np.arange(len(frame)), None)
    return Table(name, frame, about["target"], tuple(about["cat_columns"]), is_regression, rows)


def published(folder: Path) -> dict[str, dict[str, float]]:
    """TALENT's figures by table and method, tuned over 100 trials: accuracy, or RMSE."""
    found: dict[str, dict[str, float]] = {}
    with (folder / "anchors.csv").open() as file:
        for row in csv.DictReader(file):
            own = {key[7:]: value.split("+-")[0] for key, value in row.items() if key.startswith("talent_") and value}
            found[row["name"]] = {key: float(value) for key, value in own.items() if _is_number(value)}
    return found


def said_of(name: str) -> str:
    """Whose splits they are."""
    if name == "adult":
        return "official test"
    return "TALENT's" if name in EXACT else "ours"


def _rows_of(folder: Path, name: str, classes_N: np.ndarray | None) -> dict[str, np.ndarray] | None:
    if name == "bank_marketing":
        with np.load(folder / "splits" / "talent_bank_marketing.npz") as known:
            return {"train": known["train"], "validation": known["val"], "test": known["test"]}
    if classes_N is None:
        return None
    if name == "adult":
        seen = np.arange(OFFICIAL_TEST_ROWS, len(classes_N))
        train, validation = train_test_split(seen, test_size=0.2, random_state=DRAW, stratify=classes_N[seen])
        return {"train": train, "validation": validation, "test": np.arange(OFFICIAL_TEST_ROWS)}
    return _drawn(np.arange(len(classes_N)), classes_N)


def _drawn(rows: np.ndarray, classes_N: np.ndarray | None) -> dict[str, np.ndarray]:
    """By TALENT's rule; where a class has too few rows for it, by the same rule without classes."""
    try:
        by = None if classes_N is None else classes_N[rows]
        seen, test = train_test_split(rows, test_size=0.2, random_state=DRAW, stratify=by)
        by = None if classes_N is None else classes_N[seen]
        train, validation = train_test_split(seen, test_size=0.2, random_state=DRAW, stratify=by)
    except ValueError:
        return _drawn(rows, None)
    return {"train": train, "validation": validation, "test": test}


def _is_number(text: Any) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
