"""JSON lines: one object a line, whose values know their types."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from ridgeline.tables.cells import PIECE, without
from ridgeline.tables.charset import encoding_of, likely_encoding
from ridgeline.tables.dialect import Dialect
from ridgeline.tables.files import BadTable, is_gzip, text_of, unpacked_size


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
        names = list(dict.fromkeys(key for record, _ in self._records() for key in record))
        if not names:
            raise BadTable("the file has columns", "its objects are empty.")
        return names

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
                except (ValueError, RecursionError) as error:  # nested too deep, or a number of 5000 digits
                    what = (
                        f", column {error.colno}: {error.msg}"
                        if isinstance(error, json.JSONDecodeError)
                        else f": {error}"
                    )
                    raise BadTable("each line is a JSON object", f"line {number}{what}.") from error
                if not isinstance(record, dict):
                    raise BadTable("each line is a JSON object", f"line {number} is {line.strip()[:40]}.")
                nested = next((key for key, value in record.items() if isinstance(value, dict | list)), None)
                if nested is not None:
                    raise BadTable("each cell holds one value", f"`{nested}` in line {number} is a list or an object.")
                yield record, number

    def _table(self, records: list[dict[str, Any]], missing: Sequence[str], strings: Sequence[str]) -> pa.Table:
        columns = {name: [record.get(name) for record in records] for name in self.names}
        return pa.table({name: without(_column(values, name in strings), missing) for name, values in columns.items()})


def _column(values: list[Any], is_text: bool) -> pa.ChunkedArray:
    """Whole numbers, numbers, truth values, or text, as the values are; mixed ones are text."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int} and not is_text and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pa.chunked_array([pa.array(values, pa.int64())])
    if kinds <= {int, float} and not is_text:
        return pa.chunked_array([pa.array(list(map(_number, values)), pa.float64())])
    if kinds == {bool} and not is_text:
        return pa.chunked_array([pa.array(values, pa.bool_())])
    return pa.chunked_array([pa.array([None if value is None else str(value) for value in values], pa.string())])


def _number(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:  # a whole number beyond the floats
        return math.inf
