"""A table whose columns lie in files answers as the data frame of the same rows would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ridgeline.tables.reading import read_table

N = 40


def write(path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": draw.normal(size=N),
            "gaps": pd.array([None if i % 3 == 0 else i for i in range(N)], dtype="Int64"),
            "whole": draw.integers(0, 9, N) if seed == 0 else draw.normal(size=N),
            "town": draw.choice(["Aby", "Bex", None], N),
            "when": pd.date_range("2024-01-01", periods=N, freq="h"),
            "truth": draw.choice([True, False], N),
            "grade": pd.Categorical(draw.choice(["low", "high"], N), ["low", "high"], ordered=True),
        }
    )
    frame.to_parquet(path)


@pytest.mark.parametrize(
    "rows", [np.arange(N), np.array([3, 1, 39]), np.array([5]), np.arange(0), np.resize(np.arange(30, 40), 25)]
)
def test_rows_and_columns_are_those_of_the_frame(rows: np.ndarray, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", 0)
    reading = read_table(str(tmp_path / "a.parquet"))
    assert reading.frame["gaps"].dtype == np.float64
    pd.testing.assert_frame_equal(reading.table.take(rows), reading.frame.iloc[rows].reset_index(drop=True))
    for name in reading.frame:
        pd.testing.assert_series_equal(reading.table[name], reading.frame[name])


@pytest.mark.parametrize("rows", [np.array([70, 3, 41, 2]), np.array([1, 2]), np.array([79])])
def test_one_table_below_the_other_is_one_and_some_of_its_rows_are_others(rows: np.ndarray, tmp_path: Path) -> None:
    """A column of whole numbers above one of others is one of others, whichever rows are asked for."""
    for seed, name in enumerate(("a.parquet", "b.parquet")):
        write(tmp_path / name, seed)
    above, below = (read_table(str(tmp_path / name)) for name in ("a.parquet", "b.parquet"))
    joined = pd.concat([above.frame, below.frame], ignore_index=True)
    table = above.table.above(below.table)
    assert len(table) == 2 * N
    pd.testing.assert_frame_equal(table.take(rows), joined.iloc[rows].reset_index(drop=True))
    pd.testing.assert_series_equal(table["whole"], joined["whole"])
    kept = np.flatnonzero(np.arange(2 * N) % 2)
    some, expected = replace(table.drop(["town"]), rows_N=kept), joined.drop(columns="town").iloc[kept]
    assert list(some.columns) == list(expected)
    pd.testing.assert_series_equal(some["size"], expected["size"].reset_index(drop=True))
    pd.testing.assert_frame_equal(some.take(rows // 2), expected.iloc[rows // 2].reset_index(drop=True))
