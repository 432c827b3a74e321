"""Files that know their columns' types: Parquet and Feather, and JSON lines, whose values do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet as pq

from ridgeline.tables.charset import encoding_of, likely_encoding
from ridgeline.tables.dialect import Dialect
from ridgeline.tables.files import BadTable, is_gzip, text_of, unpacked_size

PIECE = 100_000


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
class Typed:
    """A Parquet or Feather file."""

    file: Path
    dialect: Dialect
    schema: pa.Schema
    n_rows: int

    @classmethod
    def of(cls, file: Path, kind: str) -> Typed:
        if is_gzip(file):
            raise BadTable(f"a {kind} file is compressed inside", "it is gzipped as well: unpack it.")
        with _whole(kind):
            if kind == "Parquet":
                with pq.ParquetFile(file) as opened:
                    schema, n_rows = opened.schema_arrow, opened.metadata.num_rows
            else:
                table = pyarrow.feather.read_table(file, memory_map=True)
                schema, n_rows = table.schema, table.num_rows
        names = [name for name in schema.names if not _is_index(name)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise BadTable("each column has a name of its own", f"{', '.join(twice[:5])} named more than once.")
        if not names or not n_rows:
            raise BadTable("the file has rows", f"it has {n_rows} rows of {len(names)} columns.")
        for field in schema:
            if not _is_plain(field.type):
                raise BadTable("each cell holds one value", f"the column `{field.name}` holds {field.type}.")
        return cls(file, Dialect(kind), schema, n_rows)

    def checked(self) -> Typed:
        """What the file's own footer says is all that is asked."""
        return self

    @property
    def names(self) -> list[str]:
        return [name for name in self.schema.names if not _is_index(name)]

    def needs(self) -> int:
        """Bytes of the columns, at least."""
        return self.n_rows * 8 * len(self.names)

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
            table = pyarrow.feather.read_table(self.file, columns=self.names, memory_map=True)
            for first in range(0, table.num_rows, PIECE):
                yield self._table(table.slice(first, PIECE), missing, strings)

    def _table(self, table: pa.Table, missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        columns = {
            name: _plain(column, name in strings) for name, column in zip(self.names, table.columns, strict=True)
        }
        return pa.table({name: _without(column, missing) for name, column in columns.items()})


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


def _without(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """The text column with these values missing."""
    if not missing or not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.is_in(column, pa.array(missing)), None, column)


@dataclass(frozen=True)
class JsonLines:
    """A file with one JSON object a line."""

    file: Path
    dialect: Dialect

    @classmethod
    def of(cls, file: Path) -> JsonLines:
        return cls(file, Dialect("JSON lines", is_gzip(file), likely_encoding(file)))

    def checked(self) -> JsonLines:
        """The same after a look at all of the file, for its encoding."""
        return replace(self, dialect=replace(self.dialect, encoding=encoding_of(self.file)))

    @cached_property
    def names(self) -> list[str]:
        """All keys, in the order in which they first come."""
        return list(dict.fromkeys(key for record, _ in self._records() for key in record))

    def needs(self) -> int:
        """Bytes of the records as Python has them."""
        return 4 * unpacked_size(self.file)

    def place(self, row: int) -> str:
        return f"line {next(line for i, (_, line) in enumerate(self._records()) if i == row)}"

    def read(self, missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        return self._table([record for record, _ in self._records()], missing, strings)

    def pieces(self, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
        records = []
        for record, _ in self._records():
            records.append(record)
            if len(records) == PIECE:
                yield self._table(records, missing, strings)
                records = []
        if records:
            yield self._table(records, missing, strings)

    def _records(self) -> Iterator[tuple[dict[str, Any], int]]:
        with text_of(self.file, self.dialect.encoding) as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except json.JSONDecodeError as error:
                    raise BadTable(
                        "each line is a JSON object", f"line {number}, column {error.colno}: {error.msg}."
                    ) from error
                if not isinstance(record, dict):
                    raise BadTable("each line is a JSON object", f"line {number} is {line.strip()[:40]}.")
                nested = next((key for key, value in record.items() if isinstance(value, dict | list)), None)
                if nested is not None:
                    raise BadTable("each cell holds one value", f"`{nested}` in line {number} is a list or an object.")
                yield record, number

    def _table(self, records: list[dict[str, Any]], missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        columns = {name: [record.get(name) for record in records] for name in self.names}
        return pa.table({name: _without(_column(values, name in strings), missing) for name, values in columns.items()})


def _column(values: list[Any], is_text: bool) -> pa.ChunkedArray:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float} and not is_text:
        fits = kinds == {int} and all(value is None or abs(value) < 2**63 for value in values)
        array = pa.array(
            values if fits else [None if v is None else float(v) for v in values], pa.int64() if fits else pa.float64()
        )
        return pa.chunked_array([array])
    if kinds == {bool} and not is_text:
        return pa.chunked_array([pa.array(values, pa.bool_())])
    return pa.chunked_array([pa.array([None if value is None else str(value) for value in values], pa.string())])
