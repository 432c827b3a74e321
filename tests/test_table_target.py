"""Which task the column of a table's target asks for, where nobody says it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ridgeline.tables.files import find_files
from ridgeline.tables.frames import open_table
from ridgeline.tables.target import read_target, task_of
from tables import FOLDER, index, needs_tables


@pytest.mark.parametrize(
    ("what", "values", "task"),
    [
        ("two classes, however they are written", [2, 4], "classification"),
        ("from 0", range(10), "classification"),
        ("from 1", range(1, 8), "classification"),
        ("around 0", [-1, 0, 1], "classification"),
        ("numbered, some without a row", [*range(1, 11), 14, 15, 16], "classification"),
        ("codes", [200, 301, 404, 500], "classification"),
        ("more than 20", range(21), "regression"),
        ("grades that begin later", range(3, 10), "regression"),
        ("percentages", range(0, 101, 10), "regression"),
        ("years", range(2018, 2023), "regression"),
        ("with a fraction", [0.5, 1, 1.5], "regression"),
        ("names", ["a", "b"], "classification"),
        ("truth values", [False, True], "classification"),
    ],
)
def test_whole_numbers_are_classes_unless_they_are_a_scale(what: str, values: list[float], task: str) -> None:
    column = pd.Series(np.random.default_rng(0).permutation(np.resize(np.array(values), 200)))
    assert task_of(column)[0] == task, what
    if column.dtype.kind == "i":  # of which missing ones make floats
        assert task_of(column.astype(float).where(column.index > 3))[0] == task, what


def test_the_reason_is_the_users_word_where_that_decides() -> None:
    column = pd.Series([3, 4, 5, 6] * 9, name="quality")
    assert read_target(column, "regression").why == "its values are 4 different numbers"
    assert read_target(column, "classification").why == "task=classification says so"


@needs_tables
@pytest.mark.verify
@pytest.mark.parametrize("known", index(), ids=lambda known: known["name"])
def test_each_real_table_is_taken_for_what_it_is(known: dict[str, str]) -> None:
    (file,) = find_files(str(FOLDER / known["file"]), "data.path")
    task = task_of(open_table(str(file)).frame[known["target"]])[0]
    assert task == ("regression" if known["task"] == "regression" else "classification")
