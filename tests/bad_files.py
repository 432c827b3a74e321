"""Files that are no right table, each as a user may have it: made on the spot, with what must be said about it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class BadFile:
    """A file, the settings that use it, and `words` that the line must hold."""

    name: str
    path: str
    overrides: tuple[str, ...]
    words: tuple[str, ...]


Maker = Callable[[Path], BadFile]
MAKERS: dict[str, Maker] = {}
ROWS = "".join(f"{20 + i},{'red' if i % 3 else 'blue'},{i * 1.5},{i % 2}\n" for i in range(40))
GOOD = "age,color,height,churn\n" + ROWS


def bad(
    file: str, *words: str, target: str = "churn", options: tuple[str, ...] = ()
) -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    """Register a function that writes the file at the path it is given."""

    def register(write: Callable[[Path], object]) -> Callable[[Path], object]:
        name = write.__name__

        def make(folder: Path) -> BadFile:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / file
            write(path)
            overrides = ("data=table", f"data.path={path}", f"data.target={target}", *options)
            return BadFile(name, str(path), overrides, words)

        MAKERS[name] = make
        return write

    return register


def good() -> pd.DataFrame:
    return pd.DataFrame({"age": range(40), "color": ["red", "blue"] * 20, "churn": [0, 1] * 20})


def column(name: str, values: list[object]) -> str:
    """The good table with one column more."""
    return "".join(f"{line},{value}\n" for line, value in zip(GOOD.splitlines(), [name, *values], strict=True))


# Not there


@bad("chrun.csv", "the file exists", "Did you mean churn.csv?")
def missing_file(path: Path) -> None:
    path.with_name("churn.csv").write_text(GOOD)


@bad("data/churn.csv", "the file exists", "no folder")
def missing_folder(path: Path) -> None:
    pass


@bad("folder", "a folder", "churn.csv")
def folder_given(path: Path) -> None:
    path.mkdir()
    (path / "churn.csv").write_text(GOOD)


@bad("part-*.csv", "a file matches", "There is: churn.csv")
def glob_without_match(path: Path) -> None:
    path.with_name("churn.csv").write_text(GOOD)


@bad("part-*.csv", "the same columns", "part-2.csv", "lacks height", "has also weight")
def glob_of_different_columns(path: Path) -> None:
    path.with_name("part-1.csv").write_text(GOOD)
    path.with_name("part-2.csv").write_text(GOOD.replace("height", "weight"))


@bad("secret.csv", "may be read")
def without_permission(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0)


if os.access("/root", os.R_OK):  # root may read everything
    del MAKERS["without_permission"]


# Nothing in it


@bad("churn.csv", "is not empty")
def empty(path: Path) -> None:
    path.touch()


@bad("churn.csv", "is not empty", "blank")
def blank_lines(path: Path) -> None:
    path.write_text("\n  \n\n")


@bad("churn.csv.gz", "is not empty")
def empty_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(b""))


@bad("churn.csv", "has rows", "header of 4 columns")
def header_alone(path: Path) -> None:
    path.write_text("age,color,height,churn\n")


@bad("churn.parquet", "has rows", "0 rows")
def parquet_without_rows(path: Path) -> None:
    good().head(0).to_parquet(path)


# Wrong rows and names


@bad("churn.csv", "as many cells", "line 22 has 5, the header 4", "Quote")
def long_row(path: Path) -> None:
    lines = GOOD.splitlines()
    lines[21] += ",1"
    path.write_text("\n".join(lines))


@bad("churn.csv", "as many cells", "line 41 has 3, the header 4")
def short_last_row(path: Path) -> None:
    path.write_text(GOOD[: GOOD.rindex(",")])


@bad("churn.csv", "as many cells", "line 2 has 5, the header 4")
def rows_with_names_of_their_own(path: Path) -> None:
    header, *rows = GOOD.splitlines()
    path.write_text("\n".join([header, *(f"{i},{row}" for i, row in enumerate(rows))]))


@bad("churn.csv", "line 2 has")
def title_above_the_header(path: Path) -> None:
    path.write_text("Customers of 2024\n" + GOOD)


@bad("churn.csv", "quote", "line 11")
def quote_never_closed(path: Path) -> None:
    lines = [f'{line},"fine"' for line in GOOD.splitlines()]
    lines[10] = lines[10][:-1]
    lines[11:] = [line.replace('"', "") for line in lines[11:]]
    path.write_text("\n".join(lines) + "\n")


@bad("churn.csv", "a name of its own", "`age`")
def duplicate_names(path: Path) -> None:
    path.write_text(GOOD.replace("height", "age"))


@bad("churn.csv", "each column has a name", "column 3 of 4")
def unnamed_column(path: Path) -> None:
    path.write_text(GOOD.replace("height", ""))


@bad("iris.csv", "names the columns", "5.1, 3.5, 1.4", target="species")
def header_is_data(path: Path) -> None:
    path.write_text("5.1,3.5,1.4\n4.9,3.0,1.4\n4.7,3.2,1.3\n")


@bad("iris.csv", "names the columns", "5.1, 3.5, setosa", target="species")
def header_is_mixed_data(path: Path) -> None:
    path.write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n4.7,3.2,virginica\n")


@bad("car.data", "names the columns", "vhigh, vhigh, 2, small", target="class")
def header_is_words(path: Path) -> None:
    path.write_text("vhigh,vhigh,2,small\nvhigh,low,4,small\nlow,vhigh,2,big\n")


# Not text


@bad("churn.csv", "is text", "binary")
def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 100)


@bad("churn.csv", "is text", "line 31", "NUL")
def zeros_in_the_midst(path: Path) -> None:
    long = GOOD + ROWS * 200
    lines = long.encode().splitlines()
    lines[30] = b"50,red\0\0,3.0,1"
    path.write_bytes(b"\n".join(lines))


@bad("churn.csv", "Excel")
def excel_called_csv(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/workbook.xml", "<workbook/>")


@bad("churn.xls", "old Excel")
def old_excel(path: Path) -> None:
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(1000))


@bad("churn.csv.zip", "a zip file", "unzip")
def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("churn.csv", GOOD)


@bad("churn.csv", "a pickle", "to_parquet")
def pickle_called_csv(path: Path) -> None:
    path.write_bytes(pickle.dumps(good()))


@bad("churn.csv", "a web page")
def web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html>\n<html><body>404 not found</body></html>\n")


@bad("churn.csv", "git lfs pull")
def git_lfs_pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")


@bad("churn.db", "SQLite")
def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        good().to_sql("churn", connection)


@bad("churn.csv.xz", "xz", "unpack")
def compressed_by_xz(path: Path) -> None:
    path.write_bytes(lzma.compress(GOOD.encode()))


@bad("churn.csv.bz2", "bzip2", "unpack")
def compressed_by_bzip2(path: Path) -> None:
    path.write_bytes(bz2.compress(GOOD.encode()))


@bad("churn.npy", "NumPy")
def numpy_array(path: Path) -> None:
    np.save(path, np.zeros((10, 3)))


@bad("churn.arff", "ARFF")
def arff(path: Path) -> None:
    path.write_text("@RELATION churn\n@ATTRIBUTE age NUMERIC\n@DATA\n1\n")


# Text of another encoding


@bad("churn.csv", "UTF-8, UTF-16 or Latin-1", "line 3 has the byte 0x81")
def no_known_encoding(path: Path) -> None:
    path.write_bytes(GOOD.encode().replace(b"red", b"\x81\x8d\x90"))


@bad("churn.csv", "line 30 has the byte", "UTF-8")
def damaged_utf8(path: Path) -> None:
    lines = GOOD.replace("red", "röd").encode().splitlines()
    lines[29] = b"48,r\xffd,42.0,0"
    path.write_bytes(b"\n".join(lines))


@bad("churn.csv", "UTF-32")
def utf32(path: Path) -> None:
    path.write_bytes(GOOD.encode("utf-32"))


@bad("churn.csv", "UTF-16")
def utf16_cut_off(path: Path) -> None:
    path.write_bytes(GOOD.encode("utf-16")[:-1])


# Cut off or damaged


@bad("churn.parquet", "Parquet file is whole")
def half_a_parquet(path: Path) -> None:
    good().to_parquet(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@bad("churn.feather", "Feather file is whole")
def half_a_feather(path: Path) -> None:
    good().to_feather(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@bad("churn.parquet", "a .parquet file starts as one")
def csv_called_parquet(path: Path) -> None:
    path.write_text(GOOD)


@bad("churn.parquet", "one value", "`tags`", "list")
def lists_in_a_parquet(path: Path) -> None:
    good().assign(tags=[[1, 2]] * 40).to_parquet(path)


@bad("churn.csv.gz", "gzip file is whole")
def gzip_cut_off(path: Path) -> None:
    path.write_bytes(gzip.compress(os.urandom(20_000).hex().encode())[:10_000])


@bad("churn.csv.gz", "gzip file is whole")
def gzip_damaged(path: Path) -> None:
    packed = bytearray(gzip.compress(GOOD.encode()))
    packed[-6] ^= 0xFF
    path.write_bytes(packed)


# JSON


@bad("churn.jsonl", "a JSON object", "line 3, column 9")
def bad_json_line(path: Path) -> None:
    path.write_text('{"age": 1, "churn": 0}\n{"age": 2, "churn": 1}\n{"age": twelve}\n')


@bad("churn.json", "one object {...} a line", "one list")
def json_list(path: Path) -> None:
    path.write_text(json.dumps(good().to_dict("records")))


@bad("churn.jsonl", "one value", "`tags` in line 2")
def nested_json(path: Path) -> None:
    path.write_text('{"age": 1, "churn": 0}\n{"age": 2, "churn": 1, "tags": ["a"]}\n')


@bad("churn.jsonl", "a JSON object", "line 2 is 7")
def json_number(path: Path) -> None:
    path.write_text('{"age": 1, "churn": 0}\n7\n')


# Too large


@bad("churn.csv", "RIDGELINE_CACHE", "4,096.0 GiB are needed", "GiB are free")
def larger_than_the_disk(path: Path) -> None:
    path.write_text(GOOD + ROWS * 1000)
    os.truncate(path, 1 << 41)  # takes no room on the disk


# What is in the columns


@bad("churn.csv", "finite in float32", "size=inf", "line 3 of churn.csv")
def infinite_number(path: Path) -> None:
    path.write_text(column("size", [1.5, "inf", *range(38)]))


@bad("churn.csv", "finite in float32", "size=1e+300", "line 41 of churn.csv")
def huge_number(path: Path) -> None:
    path.write_text(column("size", [*range(39), "1e300"]))


@bad(
    "churn.csv",
    "data.numeric",
    "size=12 kg",
    "line 9 of churn.csv",
    options=("data.numeric=[size]",),
)
def text_in_a_declared_number(path: Path) -> None:
    path.write_text(column("size", [*range(7), "12 kg", *range(32)]))


@bad("churn.csv", "data.target", "Did you mean churn?", target="chrun")
def unknown_target(path: Path) -> None:
    path.write_text(GOOD)


@bad("churn.csv", "data.target", "missing", target="left")
def target_missing_everywhere(path: Path) -> None:
    path.write_text(column("left", [""] * 40))


@bad("churn.csv", "data.target", "left", target="left")
def one_class(path: Path) -> None:
    path.write_text(column("left", ["yes"] * 40))


@bad("churn.csv", "data.drop", "heihgt", "height", options=("data.drop=[heihgt]",))
def unknown_column_to_drop(path: Path) -> None:
    path.write_text(GOOD)


@bad(
    "churn.csv",
    "age",
    "data.categorical",
    "data.numeric",
    options=("data.categorical=[age]", "data.numeric=[age]"),
)
def column_in_two_lists(path: Path) -> None:
    path.write_text(GOOD)


@bad("churn.csv", "data.group_on", "custmer", options=("data.group_on=custmer",))
def unknown_group(path: Path) -> None:
    path.write_text(GOOD)
