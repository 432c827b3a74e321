"""Delimited text, by Arrow's reader: whole, or a piece at a time. Numbers, truth values and text are told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from ridgeline.tables.cells import MISSING, are_numbers, typed, without
from ridgeline.tables.charset import encoding_of, likely_encoding
from ridgeline.tables.cleaned import Cleaned
from ridgeline.tables.dialect import Dialect, Row, detect, numbered_rows
from ridgeline.tables.faults import require_closed_quotes, wrong_row
from ridgeline.tables.files import BLOCK, BadTable, unpacked_size
from ridgeline.tables.header import names_of

DATED = re.compile(r"\s*(\d{4}-\d\d-\d\d|\d{1,2}:\d\d)")


@dataclass(frozen=True)
class Text:
    """A text file, understood from its start."""

    file: Path
    dialect: Dialect
    header: list[str]
    """The columns' names, "" for one without."""
    header_line: int
    head: list[Row]
    """The first rows, the header among them."""

    @classmethod
    def of(cls, file: Path, encoding: str | None = None) -> Text:
        dialect, rows, line = detect(file, encoding or likely_encoding(file))
        names = names_of(rows)
        if len(rows) == 1:
            raise BadTable("the file has rows", f"nothing follows the header of {len(names)} columns.")
        return cls(file, dialect, names, line, rows)

    def checked(self) -> Text:
        """The same after a look at all of the file, for its encoding."""
        encoding = encoding_of(self.file)
        return self if encoding == self.dialect.encoding else Text.of(self.file, encoding)

    def read(self, missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        """All rows. Raises BadTable with the line that is wrong."""
        conversion = self._conversion(missing, self._texts(strings))
        with self._stream() as stream:
            try:
                table = arrow_csv.read_csv(stream, *self._options(), conversion)
            except pa.ArrowInvalid as error:
                raise wrong_row(self.file, self.dialect, len(self.header), error) from error
        self._require_closed_quotes(table)
        return self._table(table, missing, strings)

    def pieces(self, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, some thousands at a time; a column's type is that of the piece.

        Arrow takes the types from the first piece. Where a later one does not fit, the file is read again with a wider
        type, and goes on where it was.
        """
        types, done = self._texts(strings), 0
        while True:
            row = 0
            try:
                with self._stream() as stream:
                    for batch in arrow_csv.open_csv(stream, *self._options(), self._conversion(missing, types)):
                        row += batch.num_rows
                        if row > done:
                            done = row
                            piece = pa.Table.from_batches([batch])
                            yield self._table(piece, missing, strings)
                self._require_closed_quotes(piece)
                return
            except pa.ArrowInvalid as error:
                column = re.search(r"In CSV column #(\d+)", str(error))
                key = self._keys[int(column[1])] if column else None
                if key is None or types.get(key) == pa.string():
                    raise wrong_row(self.file, self.dialect, len(self.header), error) from error
                types[key] = pa.float64() if "to int64" in str(error) else pa.string()

    def _require_closed_quotes(self, table: pa.Table) -> None:
        """A quote that is never closed swallows the rest of the file into the last cell."""
        last = table.columns[-1]
        if pa.types.is_string(last.type) and "\n" in (last[-1].as_py() or ""):
            require_closed_quotes(self.file, self.dialect)

    def _table(self, table: pa.Table, missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        columns = zip(self.header, table.columns, strict=True)
        return self._named([self._finished(column, missing, name in strings) for name, column in columns])

    @property
    def names(self) -> list[str]:
        return [name for name in self.header if name]

    def needs(self) -> int:
        """Bytes of the columns, as the first rows tell: eight for a number, its characters for a text."""
        rows = self.head[1:]
        columns = [[row[i] for row in rows if i < len(row)] for i in range(len(self.header))]
        held = sum(8 * len(cells) if are_numbers(cells) else sum(map(len, cells)) + 8 * len(cells) for cells in columns)
        written = sum(sum(map(len, row)) + len(row) for row in rows)
        characters = unpacked_size(self.file) / (2 if self.dialect.encoding.startswith("utf-16") else 1)
        return int(characters / written * held)

    def place(self, row: int) -> str:
        """The line in which this row, counted from 0, ends."""
        rows = numbered_rows(self.file, self.dialect)
        return f"line {next(line for i, (_, line) in enumerate(rows) if i == row + 1)}"

    @property
    def _keys(self) -> list[str]:
        """A name for every column, so that two nameless ones can be told apart."""
        return [name or f"\0{i}" for i, name in enumerate(self.header)]

    @property
    def _is_cleaned(self) -> bool:
        return self.dialect.separator == " " or self.dialect.padded

    def _stream(self) -> Any:
        if self._is_cleaned:
            return pa.PythonFile(Cleaned(self.file, self.dialect), mode="r")
        return pa.input_stream(str(self.file), compression="gzip" if self.dialect.gzipped else None)

    def _options(self) -> tuple[arrow_csv.ReadOptions, arrow_csv.ParseOptions]:
        longest = max(sum(map(len, row)) + len(row) for row in self.head)
        read = arrow_csv.ReadOptions(
            column_names=self._keys,
            skip_rows=self.header_line,
            encoding="utf8" if self._is_cleaned or self.dialect.encoding.startswith("utf-8") else self.dialect.encoding,
            block_size=max(BLOCK, 16 * longest),
        )
        parse = arrow_csv.ParseOptions(
            delimiter=self.dialect.separator,
            quote_char=self.dialect.quote,
            escape_char=self.dialect.escape or False,
            newlines_in_values=True,
        )
        return read, parse

    def _conversion(self, missing: Sequence[str], types: dict[str, pa.DataType]) -> arrow_csv.ConvertOptions:
        tokens = [*MISSING, *missing]
        return arrow_csv.ConvertOptions(
            column_types=types,
            null_values=[*tokens, *(f" {token}" for token in tokens if self.dialect.padded)],
            true_values=["true", "True", "TRUE"],
            false_values=["false", "False", "FALSE"],
            strings_can_be_null=True,
            decimal_point=self.dialect.decimal,
        )

    def _texts(self, strings: Sequence[str]) -> dict[str, pa.DataType]:
        """The columns that shall be text, and those of dates and times, which Arrow would not leave as they stand."""
        columns = zip(*(row for row in self.head[1:] if len(row) == len(self.header)), strict=True)
        dated = {name for name, cells in zip(self._keys, columns, strict=False) if any(map(DATED.match, cells))}
        return dict.fromkeys(dated | (set(self._keys) & set(strings)), pa.string())

    def _finished(self, column: pa.ChunkedArray, missing: Sequence[str], is_text: bool) -> pa.ChunkedArray:
        """Text that holds numbers or truth values alone becomes them; what Arrow took for a date becomes text again."""
        if pa.types.is_null(column.type):
            return column.cast(pa.string() if is_text else pa.float64())
        if pa.types.is_temporal(column.type):
            return column.cast(pa.string())
        if pa.types.is_string(column.type):
            if self.dialect.padded:
                column = pc.utf8_trim_whitespace(column)
            column = column if is_text else typed(column, self.dialect.decimal)
        return without(column, missing)

    def _named(self, columns: list[pa.ChunkedArray]) -> pa.Table:
        """The table without the columns that have no name: row numbers in the first, and empty ones."""
        for i, (name, column) in enumerate(zip(self.header, columns, strict=True)):
            is_index = i == 0 and pa.types.is_integer(column.type) and _counts(column)
            if not name and not is_index and column.null_count < len(column):
                raise BadTable("each column has a name", f"column {i + 1} of {len(columns)} has none.")
        named = {name: column for name, column in zip(self.header, columns, strict=True) if name}
        return pa.table(named)


def _counts(column: pa.ChunkedArray) -> bool:
    """Whether the numbers are consecutive, as those of rows are."""
    values = column.to_numpy()
    return column.null_count == 0 and bool((np.diff(values) == 1).all())
