"""A table whose columns lie in files, one each: what is asked for is read, a column or some rows at a time.

N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa


@dataclass(frozen=True)
class StoredColumns:
    """The files of one folder, in which `write_column` has written these columns."""

    folder: Path
    names: tuple[str, ...]
    n_rows: int

    def read(self, name: str) -> pa.Table:
        """One column: a map of its file, for as long as somebody has it."""
        with pa.memory_map(str(_file(self.folder, self.names.index(name)))) as mapped:
            return pa.ipc.open_stream(mapped).read_all()

    def take(self, names: Sequence[str], rows: np.ndarray) -> pd.DataFrame:
        """A copy of these rows. Of each file the part from the first of them to the last is read."""
        first, end = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
        places = pa.array(rows - first)
        return frame_of(
            pa.table({name: self.read(name)[name].slice(first, end - first).take(places) for name in names})
        )


@dataclass(frozen=True)
class StoredTable:
    """What is asked of a data frame, without one: `parts` one below the other, all or some of their columns.

    `rows_N`: the rows that there are, as numbers of rows of the parts; None: all.
    """

    names: tuple[str, ...]
    parts: tuple[StoredColumns, ...]
    rows_N: np.ndarray | None = None

    @property
    def columns(self) -> pd.Index:
        return pd.Index(self.names)

    def __len__(self) -> int:
        return sum(part.n_rows for part in self.parts) if self.rows_N is None else len(self.rows_N)

    def __getitem__(self, name: str) -> pd.Series:
        """The whole column. Do not write into it."""
        if name not in self.names:
            raise KeyError(name)
        if len(self.parts) == 1:
            column = self.parts[0].read(name)[name].to_pandas(date_as_object=False).rename(name)
        else:
            column = pd.concat([frame_of(part.read(name)) for part in self.parts], ignore_index=True)[name]
        return column if self.rows_N is None else column.iloc[self.rows_N].reset_index(drop=True)

    def take(self, rows: np.ndarray) -> pd.DataFrame:
        """These rows, in this order, numbered from 0."""
        rows = rows if self.rows_N is None else self.rows_N[rows]
        if len(self.parts) == 1:
            return self.parts[0].take(self.names, rows)
        ends = np.cumsum([part.n_rows for part in self.parts])
        part_N = np.searchsorted(ends, rows, side="right")
        frames = [
            part.take(self.names, rows[part_N == p] - (end - part.n_rows))
            for p, (part, end) in enumerate(zip(self.parts, ends, strict=True))
        ]
        place_N = np.argsort(np.argsort(part_N, kind="stable"), kind="stable")
        return pd.concat(frames, ignore_index=True).iloc[place_N].reset_index(drop=True)

    def drop(self, names: Sequence[str]) -> StoredTable:
        """The same without these columns."""
        return replace(self, names=tuple(name for name in self.names if name not in names))

    def above(self, other: StoredTable) -> StoredTable:
        """The rows of the other below the own ones; it has the own columns, whichever else."""
        return replace(self, parts=(*self.parts, *other.parts))


Table: TypeAlias = pd.DataFrame | StoredTable


def frame_of(table: pa.Table) -> pd.DataFrame:
    """The columns as pandas has them, each moved from the table, not copied beside it where that can be."""
    return table.to_pandas(split_blocks=True, self_destruct=True, ignore_metadata=True, date_as_object=False)


def write_column(folder: Path, number: int, name: str, column: pa.ChunkedArray) -> None:
    """The column of this number, in one piece, so that a map of its file needs no copy; whole numbers with gaps as
    pandas has them, whichever rows are taken: as float64."""
    if pa.types.is_integer(column.type) and column.null_count:
        column = column.cast(pa.float64(), safe=False)
    table = pa.table({name: column}).unify_dictionaries().combine_chunks()
    with pa.OSFile(str(_file(folder, number)), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _file(folder: Path, number: int) -> Path:
    return folder / f"column_{number}.arrow"
