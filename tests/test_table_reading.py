"""A table is read as it was meant, whatever kind of file it is in, and however its cells are written."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import pytest

from ridgeline.tables.reading import read_chunks, read_table
from tables import FOLDER, index, needs_tables


@needs_tables
@pytest.mark.parametrize("known", index(), ids=lambda known: known["name"])
def test_each_real_table_is_read_right(known: dict[str, Any]) -> None:
    reading = read_table(str(FOLDER / known["file"]))
    frame, target = reading.frame, known["target"]
    features = frame.drop(columns=target)
    assert frame.shape == (known["rows"], known["features"] + 1)
    assert features.isna().sum().sum() == known["missing_cells"]
    assert features.isna().any().sum() == known["missing_columns"]
    assert reading.content.startswith(known["sha256"])
    text = [name for name in features if features[name].dtype not in ("int64", "float64")]
    assert set(text) <= set(known["cat_columns"])  # some categories are numbers
    if "classes" in known:
        counts = frame[target].astype(str).str.lower().value_counts()
        assert counts.to_dict() == {name.lower(): count for name, count in known["classes"].items()}
    usual = pd.read_csv(FOLDER / known["file"], keep_default_na=False, na_values=[""])
    pd.testing.assert_frame_equal(frame, usual, check_exact=True)
    pd.testing.assert_frame_equal(
        pd.concat(read_chunks(str(FOLDER / known["file"]), rows=20_000)), usual, check_exact=True, check_dtype=False
    )


@needs_tables
def test_adult_is_read_in_a_moment() -> None:
    start = time.process_time()
    assert len(read_table(str(FOLDER / "adult.csv.gz")).frame) == 48842
    assert time.process_time() - start < 3  # 0.3 s measured
