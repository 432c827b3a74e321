"""Delimited text, by Arrow's reader, a piece at a time. Numbers, truth values and text are told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from ridgeline.tables.cells import MISSING, typed, without
from ridgeline.tables.charset import encoding_of, likely_encoding
from ridgeline.tables.cleaned import Cleaned
from ridgeline.tables.dialect import Dialect, Row, detect, numbered_rows
from ridgeline.tables.faults import require_closed_quotes, wrong_row
from ridgeline.tables.files import BLOCK, BadTable
from ridgeline.tables.header import names_of


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

    def pieces(self, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, some thousands at a time, all of them text still. Raises BadTable with the line that is
        wrong."""
        try:
            with self._stream() as stream:
                for batch in arrow_csv.open_csv(stream, *self._options(), self._conversion(missing)):
                    piece = pa.Table.from_batches([batch])
                    yield self._named(piece)
        except pa.ArrowInvalid as error:
            raise wrong_row(self.file, self.dialect, len(self.header), error) from error
        self._require_closed_quotes(piece)

    def finished(
        self, name: str, column: pa.ChunkedArray, missing: Sequence[str], strings: Sequence[str]
    ) -> pa.ChunkedArray:
        """A column of the pieces, of one or of all of them: numbers or truth values where all of its text is that."""
        if self.dialect.padded:
            column = pc.utf8_trim_whitespace(column)
        if name not in strings:
            column = typed(column, self.dialect.decimal)
        return without(column, missing)

    def _require_closed_quotes(self, table: pa.Table) -> None:
        """A quote that is never closed swallows the rest of the file into the last cell."""
        if "\n" in (table.columns[-1][-1].as_py() or ""):
            require_closed_quotes(self.file, self.dialect)

    @property
    def names(self) -> list[str]:
        return [name for name in self.header if name]

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

    def _conversion(self, missing: Sequence[str]) -> arrow_csv.ConvertOptions:
        tokens = [*MISSING, *missing]
        return arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(self._keys, pa.string()),
            null_values=[*tokens, *(f" {token}" for token in tokens if self.dialect.padded)],
            strings_can_be_null=True,
        )

    def _named(self, piece: pa.Table) -> pa.Table:
        """The columns that have a name. The others hold row numbers, in the first column, or nothing."""
        for i, (name, column) in enumerate(zip(self.header, piece.columns, strict=True)):
            if not name and column.null_count < len(column) and not (i == 0 and _counts(column)):
                raise BadTable("each column has a name", f"column {i + 1} of {len(self.header)} has none.")
        return pa.table({name: column for name, column in zip(self.header, piece.columns, strict=True) if name})


def _counts(texts: pa.ChunkedArray) -> bool:
    """Whether the numbers are consecutive, as those of rows are."""
    numbers = typed(texts, ".")
    return pa.types.is_integer(numbers.type) and not numbers.null_count and bool((np.diff(numbers) == 1).all())
