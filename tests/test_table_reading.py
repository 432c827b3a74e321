"""A table is read as it was meant, whatever kind of file it is in, and however its cells are written."""

from __future__ import annotations

import csv
import gzip
import hashlib
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
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
    if len(frame) < 10_000:
        chunks = pd.concat(read_chunks(str(FOLDER / known["file"]), rows=2000))
        pd.testing.assert_frame_equal(chunks, usual, check_exact=True, check_dtype=False)


@needs_tables
def test_adult_is_read_in_a_moment() -> None:
    start = time.process_time()
    assert len(read_table(str(FOLDER / "adult.csv.gz")).frame) == 48842
    assert time.process_time() - start < 3  # 0.3 s measured


FRAME = pd.DataFrame(
    {
        "name": ["Zoë; the first", "Jörg, of Köln", None],
        "size": [1.5, -2.25, 1000.0],
        "number": [7, 8, 9],
        "is new": [True, False, True],
        "day": ["2024-01-31", "2024-02-01", "2024-12-24"],
        "gap": [1.0, np.nan, 3.0],
        "nothing": [np.nan, np.nan, np.nan],
    }
).astype({"name": "str", "day": "str"})
"""Everything that text can be read as."""


def written(**how: Any) -> str:
    return FRAME.to_csv(None, **{"index": False} | how)


SPELLINGS: dict[str, tuple[str, bytes, str]] = {
    "plain": ("a.csv", written().encode(), "CSV, separated by comma, UTF-8"),
    "windows": ("a.csv", written(lineterminator="\r\n").encode(), "CSV, separated by comma, UTF-8"),
    "old mac": ("a.csv", written(lineterminator="\r").encode(), "CSV, separated by comma, UTF-8"),
    "tab": ("a.tsv", written(sep="\t").encode(), "CSV, separated by tab, UTF-8"),
    "bar": ("a.txt", written(sep="|").encode(), "CSV, separated by bar, UTF-8"),
    "german": ("a.csv", written(sep=";", decimal=",").encode("cp1252"), "semicolon, decimal comma, Latin-1"),
    "comma twice": ("a.csv", written(decimal=",", quoting=csv.QUOTE_ALL).encode(), "by comma, decimal comma, UTF-8"),
    "excel": ("a.csv", written(sep=";", decimal=",").encode("utf-8-sig"), "UTF-8 with a BOM"),
    "unicode text": ("a.txt", written(sep="\t").encode("utf-16"), "CSV, separated by tab, UTF-16"),
    "without a mark": ("a.txt", written(sep="\t").encode("utf-16-le"), "UTF-16 without a BOM"),
    "gzip": ("a.csv.gz", gzip.compress(written().encode("utf-16")), "CSV, gzipped, separated by comma, UTF-16"),
    "gzip by another name": ("a.csv", gzip.compress(written().encode()), "CSV, gzipped, separated by comma, UTF-8"),
    "single quotes": ("a.csv", written(quotechar="'", quoting=csv.QUOTE_ALL).encode(), "comma, single quotes"),
    "other missing": ("a.csv", written(na_rep="?").encode(), "CSV, separated by comma, UTF-8"),
    "NA": ("a.csv", written(na_rep="NA").encode(), "CSV, separated by comma, UTF-8"),
    "row numbers": ("a.csv", written(index=True).encode(), "CSV, separated by comma, UTF-8"),
    "separator at each end": (
        "a.csv",
        "".join(f"{line};\n" for line in written(sep=";").splitlines()).encode(),
        "semicolon",
    ),
    "JSON lines": (
        "a.jsonl",
        FRAME.to_json(orient="records", lines=True, force_ascii=False).encode(),
        "JSON lines, UTF-8",
    ),
    "JSON called csv, gzipped": (
        "a.csv",
        gzip.compress(FRAME.to_json(orient="records", lines=True).encode()),
        "JSON lines, gzipped, UTF-8",
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_table_reads_the_same_however_it_is_written(name: str, tmp_path: Path) -> None:
    file, content, said = SPELLINGS[name]
    (tmp_path / file).write_bytes(content)
    reading = read_table(str(tmp_path / file))
    pd.testing.assert_frame_equal(reading.frame, FRAME)
    assert said in reading.said
    pieces = list(read_chunks(str(tmp_path / file), rows=2))
    assert [len(piece) for piece in pieces] == [2, 1]
    pd.testing.assert_frame_equal(pd.concat(pieces), FRAME, check_dtype=False)


def test_cells_in_columns_of_spaces_and_padded_ones_are_read(tmp_path: Path) -> None:
    (tmp_path / "housing.data").write_text("  rm  age   chas\n 6.575  65.20   0\n 6.421   78.90  1\n")
    reading = read_table(str(tmp_path / "housing.data"))
    assert reading.frame.to_dict("list") == {"rm": [6.575, 6.421], "age": [65.2, 78.9], "chas": [0, 1]}
    assert "separated by spaces" in reading.said
    (tmp_path / "adult.data").write_text('age, job, pay\n39, "State, gov", 1.5\n50, Private, ?\n51, ?, 2.5\n')
    reading = read_table(str(tmp_path / "adult.data"))
    assert "comma and spaces" in reading.said
    assert list(reading.frame) == ["age", "job", "pay"]
    assert reading.frame["age"].tolist() == [39, 50, 51]
    assert reading.frame["job"].tolist()[:2] == ["State, gov", "Private"]
    assert reading.frame["pay"].tolist()[::2] == [1.5, 2.5]
    assert reading.frame.isna().sum().tolist() == [0, 1, 1]


def test_quotes_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    values = ['5" pipe', "two\nlines", "a,b", "back\\slash", "none", "x\u2028y"]
    pd.DataFrame({"text\nof": values, "n": range(6)}).to_csv(tmp_path / "a.csv", index=False)
    reading = read_table(str(tmp_path / "a.csv"))
    assert reading.frame.iloc[:, 0].tolist() == values
    assert reading.place(0) == "line 3 of a.csv"
    assert reading.place(5) == "line 9 of a.csv"
    (tmp_path / "b.csv").write_text('text,n\n"say \\"a, b\\" twice",1\nplain,2\n')
    reading = read_table(str(tmp_path / "b.csv"))
    assert reading.frame["text"].tolist() == ['say "a, b" twice', "plain"]
    assert "escaped" in reading.said


def test_codes_stay_text_and_more_texts_are_missing_where_declared(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zip,n,m\n00501,1,-\n10001,unknown,-\n,3,2\n")
    frame = read_table(str(tmp_path / "a.csv"), missing=["unknown", "-"], strings=["zip"]).frame
    assert frame["zip"].tolist()[:2] == ["00501", "10001"]
    assert frame["zip"].isna().tolist() == [False, False, True]
    assert frame["n"].tolist()[::2] == [1.0, 3.0]
    assert frame["m"].isna().sum() == 2
    assert read_table(str(tmp_path / "a.csv")).frame["n"].tolist() == ["1", "unknown", "3"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_number_that_stands_for_missing_does_in_any_file(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"i": [1, -999, 3], "f": [0.5, -999.0, 1.5], "t": ["a", "-999", "-"]})
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    elif suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    read = read_table(str(path), missing=["-999", "-"]).frame
    assert read.isna().to_numpy().tolist() == [[False] * 3, [True] * 3, [False, False, True]]


def test_parquet_and_feather_keep_their_types(tmp_path: Path) -> None:
    frame = FRAME.drop(columns="nothing").assign(
        day=pd.to_datetime(FRAME["day"]),
        grade=pd.Categorical(["low", "high", "low"], ["low", "high"], ordered=True),
        color=pd.Categorical(["red", "blue", None]),
        whole=pd.array([1, None, 3], dtype="Int64"),
        small=np.array([1, 2, 3], np.uint8),
        single=np.array([0.5, 1.5, 2.5], np.float32),
        price=[Decimal("1.10"), None, Decimal("3.30")],
        truth=pd.array([True, None, False], dtype="boolean"),
    )
    expected = frame.assign(
        color=pd.Series(["red", "blue", None], dtype="str"),
        whole=[1.0, np.nan, 3.0],
        small=[1, 2, 3],
        single=[0.5, 1.5, 2.5],
        price=[1.1, np.nan, 3.3],
        truth=[True, None, False],
    )
    indexed = frame.set_index(pd.Index([5, 6, 7]))
    indexed.to_parquet(tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    for name in ("a.parquet", "a.feather"):
        reading = read_table(str(tmp_path / name))
        pd.testing.assert_frame_equal(reading.frame, expected, check_dtype=False)
        assert reading.frame.dtypes.astype(str).to_dict() == {
            **expected.dtypes.astype(str).to_dict(),
            "day": str(frame["day"].dtype),
        }
        pd.testing.assert_frame_equal(pd.concat(read_chunks(str(tmp_path / name))), reading.frame)


def test_files_of_a_pattern_are_one_table_in_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "part-1.csv").write_text("a,b,c\n1,x,7\n2,y,8\n")
    (tmp_path / "part-2.csv").write_text("c;a;b\n9;3,5;z\nnine;4,5;w\n")
    reading = read_table(str(tmp_path / "part-*.csv"))
    assert reading.frame.to_dict("list") == {
        "a": [1.0, 2.0, 3.5, 4.5],
        "b": ["x", "y", "z", "w"],
        "c": ["7", "8", "9", "nine"],  # text in one, so in all
    }
    assert reading.place(1) == "line 3 of part-1.csv"
    assert reading.place(3) == "line 3 of part-2.csv"
    assert [file.name for file in reading.files] == ["part-1.csv", "part-2.csv"]
    assert reading.said == (
        "2 files, CSV, separated by comma, UTF-8 / CSV, separated by semicolon, decimal comma, UTF-8"
    )
    both = (tmp_path / "part-1.csv").read_bytes() + (tmp_path / "part-2.csv").read_bytes()
    assert reading.content == hashlib.sha256(both).hexdigest()
    assert pd.concat(read_chunks(str(tmp_path / "part-*.csv")))["a"].tolist() == [1.0, 2.0, 3.5, 4.5]


def test_encoding_is_that_of_the_whole_file(tmp_path: Path) -> None:
    """A first letter beyond ASCII after many lines decides it."""
    rows = "1,plain\n" * 50_000
    (tmp_path / "a.csv").write_bytes(b"n,word\n" + rows.encode() + "2,caf\u00e9\n".encode("latin-1"))
    reading = read_table(str(tmp_path / "a.csv"))
    assert reading.frame["word"].iloc[-1] == "caf\u00e9"
    assert "Latin-1" in reading.said
    last = list(read_chunks(str(tmp_path / "a.csv")))[-1]
    assert last["word"].iloc[-1] == "caf\u00e9"


def test_names_that_are_numbers_in_order_are_names(tmp_path: Path) -> None:
    pd.DataFrame(np.eye(3)).to_csv(tmp_path / "a.csv", index=False)
    assert list(read_table(str(tmp_path / "a.csv")).frame) == ["0", "1", "2"]
    (tmp_path / "b.csv").write_text("country,1990,2000\nNamibia,1,2\nChad,3,4\n")
    assert list(read_table(str(tmp_path / "b.csv")).frame) == ["country", "1990", "2000"]


def test_pieces_of_a_column_take_the_type_that_holds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers first, then others, then text, after gaps that fill a piece: no row is lost or read twice."""
    monkeypatch.setattr("ridgeline.tables.delimited.BLOCK", 1000)
    n = 2000
    values = ["1"] * n + ["1.5"] * n + ["x"] * n + ["2"] * n
    gaps = [""] * 2 * n + ["word"] * n + ["2024-01-01"] * n
    late = [""] * 3 * n + ["1.5"] * n
    pd.DataFrame({"i": range(4 * n), "value": values, "gap": gaps, "late": late}).to_csv(
        tmp_path / "a.csv", index=False
    )
    pieces = list(read_chunks(str(tmp_path / "a.csv")))
    whole = pd.concat(pieces)
    assert whole["i"].tolist() == list(range(4 * n)) == whole.index.tolist()
    assert str(pieces[0]["value"].dtype) == "int64"
    assert whole["value"].map(str).iloc[[0, n, 2 * n, -1]].tolist() in (
        ["1", "1.5", "x", "2"],
        ["1", "1.5", "x", "2.0"],
    )
    assert whole["gap"].iloc[[2 * n, -1]].tolist() == ["word", "2024-01-01"]
    assert whole["gap"].isna().sum() == 2 * n
    frame = read_table(str(tmp_path / "a.csv")).frame
    assert frame["value"].iloc[[0, n, 2 * n, -1]].tolist() == ["1", "1.5", "x", "2"]
    assert frame["gap"].iloc[[2 * n, -1]].tolist() == ["word", "2024-01-01"]
    assert frame["late"].dtype == np.float64
