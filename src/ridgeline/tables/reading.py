"""A table from a file or several: what is in it, and how it was understood."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ridgeline.cache import cache_folder, made_once
from ridgeline.checking import ConfigError
from ridgeline.tables.columnar import Columnar
from ridgeline.tables.delimited import Text
from ridgeline.tables.dialect import Dialect
from ridgeline.tables.files import find_files, kind_of, naming
from ridgeline.tables.json_lines import JsonLines
from ridgeline.tables.notes import TABLES, code_of, hash_of
from ridgeline.tables.stored import StoredColumns, StoredTable, frame_of
from ridgeline.tables.storing import Kind, store

ABOUT = "about.json"
"""The names of the columns, and of each file how it was understood and how many rows it has."""


@dataclass(frozen=True)
class TableFile:
    """One file of a table, understood: how its cells are written, and how many rows it has."""

    path: Path
    dialect: Dialect
    n_rows: int


@dataclass(frozen=True)
class Reading:
    """A table that was read: its rows in the order of the files."""

    table: StoredTable
    content: str
    """SHA-256 of the files' bytes, in order."""
    parts: tuple[TableFile, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """All of it, in memory."""
        return self.table.take(np.arange(len(self.table)))

    @property
    def dialect(self) -> Dialect:
        """Of the first file."""
        return self.parts[0].dialect

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(part.path for part in self.parts)

    @property
    def said(self) -> str:
        """How the table was understood, in words."""
        words = " / ".join(dict.fromkeys(part.dialect.said for part in self.parts))
        return words if len(self.parts) == 1 else f"{len(self.parts)} files, {words}"

    def place(self, row: int) -> str:
        """Where a row of the frame, counted from 0, is found: `line 7 of churn.csv`."""
        for part in self.parts:
            if row < part.n_rows:
                return f"{understood(part.path).checked().place(row)} of {part.path.name}"
            row -= part.n_rows
        raise IndexError(row)


def read_table(
    path: str, *, key: str = "data.path", missing: Sequence[str] = (), strings: Sequence[str] = ()
) -> Reading:
    """The table of a file, or of all files that a pattern matches, which need the same columns in any order.

    Delimited text (separator, quotes, decimal comma and encoding are told from its contents), Parquet, Feather, JSON
    lines; text may be gzipped. Numbers come as int64, or as float64 where some are missing; truth values as bool, or
    as objects where some are missing; dates of text as text.

    `missing`: more texts that stand for a missing value. `strings`: columns of text whose numbers stay text ("007").
    `key` is what the user called the path. Raises ConfigError, of one line, for a file that is no right table.

    The columns are written to the cache once, named by the files' contents and by what is asked here. Whoever reads
    the table later reads them.
    """
    files = find_files(path, key)
    for file in files:
        with naming(key, file):
            kind_of(file)
    content, sizes = hash_of(files), [file.stat().st_size for file in files]
    made_by = json.dumps([content, sizes, missing, strings, code_of(TABLES)])
    folder = cache_folder() / "columns" / hashlib.sha256(made_by.encode()).hexdigest()[:32]
    made_once(folder, lambda draft: _write(draft, files, key, missing, strings))
    about = json.loads((folder / ABOUT).read_text())
    parts = tuple(
        TableFile(file, Dialect(**dialect), n_rows)
        for file, dialect, n_rows in zip(files, about["dialects"], about["rows"], strict=True)
    )
    names = tuple(about["names"])
    return Reading(StoredTable(names, (StoredColumns(folder, names, sum(about["rows"])),)), content, parts)


def _write(draft: Path, files: Sequence[Path], key: str, missing: Sequence[str], strings: Sequence[str]) -> None:
    sources, names = [], []
    for file in files:
        with naming(key, file):
            sources.append(understood(file).checked())
            names.append(sources[-1].names)
    _require_same_columns(files, names, key)
    rows = store(sources, draft, key, missing, strings)
    dialects = [dataclasses.asdict(source.dialect) for source in sources]
    (draft / ABOUT).write_text(json.dumps({"names": names[0], "dialects": dialects, "rows": rows}))


def read_chunks(
    path: str, *, key: str = "data.path", missing: Sequence[str] = (), strings: Sequence[str] = (), rows: int = 100_000
) -> Iterator[pd.DataFrame]:
    """The rows of `read_table` in pieces of at most `rows`, for files larger than the memory.

    The type of a column of text is that of the piece: whole numbers in one may be others in the next.
    """
    files = find_files(path, key)
    start = 0
    for file in files:
        with naming(key, file):
            source = understood(file).checked()
            for piece in source.pieces(missing, strings):
                table = pa.table({name: source.finished(name, piece[name], missing, strings) for name in source.names})
                for first in range(0, table.num_rows, rows):
                    frame = frame_of(table.slice(first, rows))
                    frame.index = pd.RangeIndex(start, start + len(frame))
                    start += len(frame)
                    yield frame


def understood(file: Path) -> Kind:
    """A file with what is known of it before its rows are read. Raises BadTable."""
    kind = kind_of(file)
    if kind == "CSV":
        return Text.of(file)
    return JsonLines.of(file) if kind == "JSON lines" else Columnar.of(file, kind)


def _require_same_columns(files: Sequence[Path], names: Sequence[Sequence[str]], key: str) -> None:
    for file, own in zip(files[1:], names[1:], strict=True):
        lacks = [name for name in names[0] if name not in own]
        more = [name for name in own if name not in names[0]]
        if lacks or more:
            words = [f"lacks {', '.join(lacks[:5])}"] * bool(lacks) + [f"has also {', '.join(more[:5])}"] * bool(more)
            difference = f"beside {files[0].name}, it {' and '.join(words)}"
            raise ConfigError(f"`all files have the same columns` must hold, but got {key}={file}: {difference}.")
