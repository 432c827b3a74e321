"""A table from a file or several: what is in it, and how it was understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pyarrow as pa

from ridgeline.checking import ConfigError
from ridgeline.tables.columnar import Columnar
from ridgeline.tables.delimited import Text
from ridgeline.tables.dialect import Dialect
from ridgeline.tables.files import find_files, kind_of, naming
from ridgeline.tables.json_lines import JsonLines
from ridgeline.tables.memory import require_room
from ridgeline.tables.notes import hash_of

Kind: TypeAlias = Text | Columnar | JsonLines


@dataclass(frozen=True)
class TableFile:
    """One file of a table, understood: how its cells are written, and how many rows it has."""

    path: Path
    dialect: Dialect
    n_rows: int
    source: Kind = field(repr=False)


@dataclass(frozen=True)
class Reading:
    """A table that was read: its rows in the order of the files."""

    frame: pd.DataFrame
    content: str
    """SHA-256 of the files' bytes, in order."""
    parts: tuple[TableFile, ...]

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
                return f"{part.source.place(row)} of {part.path.name}"
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
    """
    files = find_files(path, key)
    sources: list[Kind] = []
    for file in files:
        with naming(key, file):
            sources.append(understood(file))
            require_room(sum(source.needs() for source in sources))
            sources[-1] = sources[-1].checked()
    _require_same_columns(sources, key)
    tables = []
    for source in sources:
        with naming(key, source.file):
            tables.append(source.read(missing, strings))
    mixed = _mixed(tables)
    if mixed:
        tables = [source.read(missing, [*strings, *mixed]) for source in sources]
    parts = tuple(
        TableFile(source.file, source.dialect, table.num_rows, source)
        for source, table in zip(sources, tables, strict=True)
    )
    table = pa.concat_tables([table.select(tables[0].column_names) for table in tables], promote_options="permissive")
    del tables
    return Reading(frame_of(table), hash_of(files), parts)


def read_chunks(
    path: str, *, key: str = "data.path", missing: Sequence[str] = (), strings: Sequence[str] = (), rows: int = 100_000
) -> Iterator[pd.DataFrame]:
    """The rows of `read_table` in pieces of at most `rows`, for files larger than the memory.

    The type of a column is that of the piece: whole numbers in one may be others in the next.
    """
    files = find_files(path, key)
    start = 0
    for file in files:
        with naming(key, file):
            for table in understood(file).checked().pieces(missing, strings):
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


def frame_of(table: pa.Table) -> pd.DataFrame:
    """The columns as pandas has them, each moved from the table, not copied beside it where that can be."""
    return table.to_pandas(split_blocks=True, self_destruct=True, ignore_metadata=True, date_as_object=False)


def _require_same_columns(sources: Sequence[Kind], key: str) -> None:
    first = sources[0]
    for other in sources[1:]:
        lacks = [name for name in first.names if name not in other.names]
        more = [name for name in other.names if name not in first.names]
        if lacks or more:
            words = [f"lacks {', '.join(lacks[:5])}"] * bool(lacks) + [f"has also {', '.join(more[:5])}"] * bool(more)
            difference = f"beside {first.file.name}, it {' and '.join(words)}"
            raise ConfigError(f"`all files have the same columns` must hold, but got {key}={other.file}: {difference}.")


def _mixed(tables: Sequence[pa.Table]) -> list[str]:
    """Columns that are text in one file, and something else in another."""
    mixed = []
    for name in tables[0].column_names:
        kinds = {_kind(table[name]) for table in tables} - {"empty"}
        if len(kinds) > 1:
            mixed.append(name)
    return mixed


def _kind(column: pa.ChunkedArray) -> str:
    if column.null_count == len(column):
        return "empty"
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return "number" if is_number else str(column.type)
