"""The role of a column: what its values look like, or what the user declares."""

import datetime

import pandas as pd
import pytest

from ridgeline.checking import ConfigError
from ridgeline.tables.columns import understand
from ridgeline.tables.reading import read_table
from tables import FOLDER, index, needs_tables


def role(values, **declared):
    (column,) = understand(pd.DataFrame({"a": values}), **declared)
    return column.role


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.5, 2.5, None], "number"),
        ([1, 2, 3, 1], "number"),
        (["1.5", "-2", None], "number"),
        ([0, 1, 1], "boolean"),
        ([0.0, 1.0, None], "boolean"),
        ([True, False, True], "boolean"),
        ([True, None, False], "boolean"),
        (["Yes", "No", None], "boolean"),
        (["red", "green", "red"], "category"),
        (["007", "112", "007"], "category"),
        (["3", "x"], "category"),
        ([1, "x"], "category"),
        ([f"name {i}" for i in range(100)], "text"),
        ([f"town {i % 50}" for i in range(1000)], "category"),
        (["2024-01-31", "2023-12-01", None], "date"),
        (["2024-01-31 12:30:00", "2024-02-28T01:00:00Z"], "date"),
        (["31.1.2024", "1.12.2023"], "date"),
        (["Jan 31, 2024", "Feb 1, 2024"], "date"),
        (["2024-01-31", "soon"], "category"),
        (["2024-02-30", "2024-01-31"], "category"),
        ([datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)], "date"),
        (pd.to_datetime(["2024-01-31", "2024-02-01"]), "date"),
        (pd.to_timedelta(["1 h", "2 h"]), "number"),
        ([20240131, 20240201], "number"),
        (pd.Categorical(["low", "high"], ["low", "high"], ordered=True), "ordered"),
        (pd.Categorical(["a", "b"]), "category"),
        ([None, None], "dropped"),
        ([3, 3, 3], "dropped"),
        ([3, None, 3], "number"),
    ],
)
def test_a_role_is_read_off_the_values(values, expected):
    assert role(values) == expected


def test_what_is_declared_goes_first():
    assert role([1, 2, 3], categorical=["a"]) == "category"
    assert role(["1", "2"], text=["a"]) == "text"
    assert role([0, 1], numeric=["a"]) == "number"
    assert role(["S", "L"], ordered={"a": ["S", "M", "L"]}) == "ordered"
    assert role([1, 2], drop=["a"]) == "dropped"
    assert role([20240131, 20240201], dates=["a"]) == "date"


def test_a_date_with_two_readings_has_the_month_first_and_says_so():
    (column,) = understand(pd.DataFrame({"a": ["03/04/2024", "05/06/2024"]}))
    assert (column.format, column.why) == ("%m/%d/%Y", "like 01/31/2024, or the day first: %d/%m/%Y")
    (column,) = understand(pd.DataFrame({"a": ["03/04/2024", "15/06/2024"]}))
    assert (column.format, column.why) == ("%d/%m/%Y", "like 31/01/2024")
    (column,) = understand(pd.DataFrame({"a": ["03/04/2024", "05/06/2024"]}), dates=["a:%d/%m/%Y"])
    assert (column.format, column.why) == ("%d/%m/%Y", "in data.dates, like 31/01/2024")


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ({"numeric": ["a"]}, "`a is a number` must hold, but got a=x in row 2."),
        ({"dates": ["a"]}, "`a is a date` must hold, but got a=1 in row 1. Its format: \"data.dates=['a:%d/%m/%Y']\"."),
        ({"dates": ["a:%Y"]}, "`a is a date like 2024` must hold, but got a=1 in row 1."),
        ({"drop": ["b"]}, "`data.drop names columns` must hold, but got b. There is: a."),
        ({"ordered": {"a": ["1", "y"]}}, "`data.ordered.a has every value` must hold, but x is not in [1, y]."),
        (
            {"drop": ["a"], "categorical": ["a"]},
            "`a column is in one list` must hold, but got a in data.drop and data.categorical.",
        ),
    ],
)
def test_a_declaration_that_does_not_fit_is_one_line(declared, line):
    with pytest.raises(ConfigError) as refusal:
        role(["1", "x"], **declared)
    assert str(refusal.value) == line


CODES = {"anneal": {"formability", "packing", "bore", "enamelability"}}
"""Categories that are written as numbers: only data.categorical makes them such. (Of ames, MS.SubClass is another.)"""


@needs_tables
@pytest.mark.verify
@pytest.mark.parametrize("known", index(), ids=lambda known: known["name"])
def test_the_categories_of_real_tables_are_found(known):
    frame = read_table(str(FOLDER / known["file"])).frame.drop(columns=known["target"])
    columns = understand(frame)
    assert {column.role for column in columns} <= {"number", "boolean", "category", "dropped"}
    dropped = {column.name for column in columns if column.role == "dropped"}
    found = {column.name for column in columns if column.role in ("boolean", "category")}
    assert found == set(known["cat_columns"]) - dropped - CODES.get(known["name"], set())
