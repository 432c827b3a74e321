"""Delimited text, by Arrow's reader: whole, or a piece at a time. Numbers, truth values and text are told apart."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from ridgeline.tables.charset import encoding_of, likely_encoding
from ridgeline.tables.dialect import SEPARATORS, Dialect, Row, detect, numbered_rows
from ridgeline.tables.files import BLOCK, BadTable, text_of, unpacked_size
from ridgeline.tables.header import names_of

MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null")
"""What stands for a missing value; `None` and `none` do not, for they are often a category."""

NUMBER = r"^\s*(?i:[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|0x[0-9a-f]+)\s*$"
TRUTH = r"^\s*(?i:true|false)\s*$"
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
                raise self._wrong_row(error) from error
        self._require_closed_quotes(table)
        return self._table(table, strings)

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
                            yield self._table(piece, strings)
                self._require_closed_quotes(piece)
                return
            except pa.ArrowInvalid as error:
                column = re.search(r"In CSV column #(\d+)", str(error))
                key = self._keys[int(column[1])] if column else None
                if key is None or types.get(key) == pa.string():
                    raise self._wrong_row(error) from error
                types[key] = pa.float64() if "to int64" in str(error) else pa.string()

    def _table(self, table: pa.Table, strings: Sequence[str]) -> pa.Table:
        columns = zip(self.header, table.columns, strict=True)
        return self._named([self._finished(column, name in strings) for name, column in columns])

    @property
    def names(self) -> list[str]:
        return [name for name in self.header if name]

    def needs(self) -> int:
        """Bytes of the columns, as the first rows tell: eight for a number, its characters for a text."""
        rows = self.head[1:]
        columns = [[row[i] for row in rows if i < len(row)] for i in range(len(self.header))]
        held = sum(
            8 * len(cells) if _are_numbers(cells) else sum(map(len, cells)) + 8 * len(cells) for cells in columns
        )
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
            return pa.PythonFile(_Cleaned(self.file, self.dialect), mode="r")
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

    def _finished(self, column: pa.ChunkedArray, is_text: bool) -> pa.ChunkedArray:
        """Text that holds numbers or truth values alone becomes them; what Arrow took for a date becomes text again."""
        if pa.types.is_null(column.type):
            return column.cast(pa.string() if is_text else pa.float64())
        if pa.types.is_temporal(column.type):
            return column.cast(pa.string())
        if not pa.types.is_string(column.type):
            return column
        if self.dialect.padded:
            column = pc.utf8_trim_whitespace(column)
        return column if is_text else self._typed(column)

    def _typed(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Numbers or truth values, where all of the text is that; its start tells that of most text."""
        start, number = column[:1000], NUMBER.replace("\\.", re.escape(self.dialect.decimal))
        if column.null_count == len(column):
            return column.cast(pa.float64())
        if _all_match(start, TRUTH) and _all_match(column, TRUTH):
            return pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(column)), "true")
        if not _all_match(start, number):
            return column
        if self.dialect.decimal == "." and (numbers := _cast(column)) is not None:
            return numbers
        if not _all_match(column, number):
            return column
        plain = pc.replace_substring(pc.utf8_trim_whitespace(column), self.dialect.decimal, ".")
        if (numbers := _cast(plain)) is not None:
            return numbers
        values = [None if value is None else float(value) for value in plain.to_pylist()]  # 1e999 is infinite
        return pa.chunked_array([pa.array(values, pa.float64())])

    def _named(self, columns: list[pa.ChunkedArray]) -> pa.Table:
        """The table without the columns that have no name: row numbers in the first, and empty ones."""
        for i, (name, column) in enumerate(zip(self.header, columns, strict=True)):
            is_index = i == 0 and pa.types.is_integer(column.type) and _counts(column)
            if not name and not is_index and column.null_count < len(column):
                raise BadTable("each column has a name", f"column {i + 1} of {len(columns)} has none.")
        named = {name: column for name, column in zip(self.header, columns, strict=True) if name}
        return pa.table(named)

    def _wrong_row(self, error: pa.ArrowInvalid) -> BadTable:
        """The error of the first row that has another number of cells."""
        width, before = len(self.header), self.header_line
        rule = "each row has as many cells as the header"
        for row, line in numbered_rows(self.file, self.dialect):
            if len(row) != width:
                cure = f" Quote a cell that holds the separator ({SEPARATORS[self.dialect.separator]})."
                many = cure if len(row) > width else ""
                first = before + 1 if line > self.header_line else 1
                return BadTable(rule, f"line {first} has {len(row)}, the header {width}.{many}")
            before = line
        return BadTable(rule, str(error))

    def _require_closed_quotes(self, table: pa.Table) -> None:
        """Raise BadTable where a quote that is never closed swallowed the rest of the file."""
        last = table.columns[-1]
        if not pa.types.is_string(last.type) or "\n" not in (last[-1].as_py() or ""):
            return
        rows = numbered_rows(self.file, self.dialect, strict=True)
        before = 0
        try:
            for _, line in rows:
                before = line
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise BadTable("each quote is closed", f"the one in line {before + 1} is not.") from error


def _are_numbers(cells: list[str]) -> bool:
    return all(cell in MISSING or re.fullmatch(NUMBER, cell.replace(",", ".")) for cell in cells)


def _all_match(column: pa.ChunkedArray, pattern: str) -> bool:
    """Whether each value that is not missing matches."""
    return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())


def _cast(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The text as whole numbers, or as others; None where some is no number to Arrow."""
    for kind in (pa.int64(), pa.float64()):
        with contextlib.suppress(pa.ArrowInvalid):
            return column.cast(kind)
    return None


def _counts(column: pa.ChunkedArray) -> bool:
    """Whether the numbers are consecutive, as those of rows are."""
    values = column.to_numpy()
    return column.null_count == 0 and bool((np.diff(values) == 1).all())


class _Cleaned:
    """A file for Arrow, in UTF-8, with one character between two cells where there are several."""

    def __init__(self, file: Path, dialect: Dialect) -> None:
        self._text = text_of(file, dialect.encoding)
        self._lines = self._text if dialect.separator != " " else (" ".join(line.split()) + "\n" for line in self._text)
        self._spaces = re.compile(f"(^|{re.escape(dialect.separator)}) +(?={dialect.quote})")

        self._ready = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._ready) < size:
            lines = [self._spaces.sub(r"\1", line) for line in itertools.islice(self._lines, 10_000)]
            if not lines:
                break
            self._ready += "".join(lines).encode()
        size = len(self._ready) if size < 0 else size
        block, self._ready = self._ready[:size], self._ready[size:]
        return block

    def close(self) -> None:
        self._text.close()
        self.closed = True
