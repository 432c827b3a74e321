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
    n_rows: int
    size: int
    """Bytes of the values, unpacked, as the file has them."""

    @classmethod
    def of(cls, file: Path, kind: str) -> Columnar:
        if is_gzip(file):
            raise BadTable(f"a {kind} file is compressed inside", "it is gzipped as well: unpack it.")
        with _whole(kind):
            if kind == "Parquet":
                with pq.ParquetFile(file) as opened:
                    schema, n_rows, groups = opened.schema_arrow, opened.metadata.num_rows, opened.metadata
                    size = sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups))
            else:
                with pa.memory_map(str(file)) as mapped, pa.ipc.open_file(mapped) as opened:
                    batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
                    sizes = [(batch.num_rows, batch.get_total_buffer_size()) for batch in batches]
                    schema, n_rows, size = opened.schema, sum(n for n, _ in sizes), sum(size for _, size in sizes)
        names = [name for name in schema.names if not _is_index(name)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise BadTable("each column has a name of its own", f"{', '.join(twice[:5])} named more than once.")
        if not names or not n_rows:
            raise BadTable("the file has rows", f"it has {n_rows} rows of {len(names)} columns.")
        for field in schema:
            if not _is_plain(field.type):
                raise BadTable("each cell holds one value", f"the column `{field.name}` holds {field.type}.")
        return cls(file, Dialect(kind), schema, n_rows, size)

    def checked(self) -> Columnar:
        """What the file's own footer says is all that is asked."""
        return self

    @property
    def names(self) -> list[str]:
        return [name for name in self.schema.names if not _is_index(name)]

    def needs(self) -> int:
        """Bytes of the columns, at least: eight for a number."""
        return max(self.n_rows * 8 * len(self.names), self.size)

    def place(self, row: int) -> str:
        return f"row {row + 1}"

    def read(self, missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        return pa.concat_tables(self.pieces(missing, strings), promote_options="permissive")

    def pieces(self, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, some thousands at a time."""
        with _whole(self.dialect.kind):
            if self.dialect.kind == "Parquet":
                with pq.ParquetFile(self.file) as opened:
                    for batch in opened.iter_batches(PIECE, columns=self.names):
                        yield self._table(pa.Table.from_batches([batch]), missing, strings)
                return
            with pa.memory_map(str(self.file)) as mapped, pa.ipc.open_file(mapped) as opened:
                for i in range(opened.num_record_batches):
                    table = pa.Table.from_batches([opened.get_batch(i)]).select(self.names)
                    yield self._table(table, missing, strings)

    def _table(self, table: pa.Table, missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        columns = {
            name: _plain(column, name in strings) for name, column in zip(self.names, table.columns, strict=True)
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
