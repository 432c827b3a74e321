"""Parquet and Feather: files that hold columns, and know their types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ridgeline.tables.cells import PIECE, without
from ridgeline.tables.dialect import Dialect
from ridgeline.tables.files import BadTable, is_gzip

BUFFER = 1 << 20
"""Bytes of each column that are read at a time; without it, all of a group of rows, which may be the whole file."""


@contextmanager
def _whole(kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise BadTable(
            f"the {kind} file is whole", f"it is cut off or damaged ({error}); copy or write it again."
        ) from error


@dataclass(frozen=True)
class Columnar:
    """A Parquet or Feather file."""

    file: Path
    dialect: Dialect
    schema: pa.Schema

    @classmethod
    def of(cls, file: Path, kind: str) -> Columnar:
        if is_gzip(file):
            raise BadTable(f"a {kind} file is compressed inside", "it is gzipped as well: unpack it.")
        with _whole(kind):
            if kind == "Parquet":
                with pq.ParquetFile(file) as opened:
                    schema, n_rows = opened.schema_arrow, opened.metadata.num_rows
            else:
                with pa.memory_map(str(file)) as mapped, pa.ipc.open_file(mapped) as opened:
                    schema, batches = opened.schema, map(opened.get_batch, range(opened.num_record_batches))
                    n_rows = sum(batch.num_rows for batch in batches)
        names = [name for name in schema.names if not _is_index(name)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise BadTable("each column has a name of its own", f"{', '.join(twice[:5])} named more than once.")
        if not names or not n_rows:
            raise BadTable("the file has rows", f"it has {n_rows} rows of {len(names)} columns.")
        for field in schema:
            if not _is_plain(field.type):
                raise BadTable("each cell holds one value", f"the column `{field.name}` holds {field.type}.")
        return cls(file, Dialect(kind), schema)

    def checked(self) -> Columnar:
        """What the file's own footer says is all that is asked."""
        return self

    @property
    def names(self) -> list[str]:
        return [name for name in self.schema.names if not _is_index(name)]

    def place(self, row: int) -> str:
        return f"row {row + 1}"

    def pieces(self, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, some thousands at a time."""
        with _whole(self.dialect.kind):
            if self.dialect.kind == "Parquet":
                with pq.ParquetFile(self.file, buffer_size=BUFFER, pre_buffer=False) as opened:
                    for batch in opened.iter_batches(PIECE, columns=self.names):
                        yield self._table(pa.Table.from_batches([batch]), missing, strings)
                return
            with pa.memory_map(str(self.file)) as mapped, pa.ipc.open_file(mapped) as opened:
                for i in range(opened.num_record_batches):
                    table = pa.Table.from_batches([opened.get_batch(i)]).select(self.names)
                    yield self._table(table, missing, strings)

    def columns(
        self, names: Sequence[str], missing: Sequence[str], strings: Sequence[str]
    ) -> Iterator[pa.ChunkedArray]:
        """Whole columns, one after the other."""
        with _whole(self.dialect.kind):
            if self.dialect.kind == "Parquet":
                with pq.ParquetFile(self.file, buffer_size=BUFFER, pre_buffer=False) as opened:
                    for name in names:
                        yield self._table(opened.read(columns=[name]), missing, strings)[name]
                return
            for name in names:
                options = pa.ipc.IpcReadOptions(included_fields=[self.schema.get_field_index(name)])
                with pa.memory_map(str(self.file)) as mapped, pa.ipc.open_file(mapped, options=options) as opened:
                    yield self._table(opened.read_all(), missing, strings)[name]

    def finished(
        self, name: str, column: pa.ChunkedArray, missing: Sequence[str], strings: Sequence[str]
    ) -> pa.ChunkedArray:
        """A column of the pieces is whole as it is: their types are those of the file."""
        return column

    def _table(self, table: pa.Table, missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        columns = {
            name: _plain(column, name in strings)
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
        return pa.table({name: without(column, missing) for name, column in columns.items()})


def _is_index(name: str) -> bool:
    """Whether pandas wrote row numbers under this name."""
    return name.startswith("__index_level_")


def _is_plain(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _plain(column: pa.ChunkedArray, is_text: bool) -> pa.ChunkedArray:
    """Numbers as int64 or float64, text as text; dates, truth values and ordered categories as they are."""
    kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.float64())
    if is_text or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_time(kind):
        return column.cast(pa.string())
    if pa.types.is_dictionary(kind) and not kind.ordered:
        return _plain(column.cast(kind.value_type), is_text)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_uint64(kind):
        return column.cast(pa.float64())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_duration(kind):
        return pc.divide(column.cast(pa.duration("ns")).cast(pa.int64()).cast(pa.float64()), 1e9)
    return column
