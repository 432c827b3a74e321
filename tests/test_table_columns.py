"""The role of a column: what its values look like, or what the user declares."""

import pandas as pd
import pytest

from ridgeline.checking import ConfigError
from ridgeline.tables.columns import understand


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


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ({"numeric": ["a"]}, "`a is a number` must hold, but got a=x in row 2."),
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
