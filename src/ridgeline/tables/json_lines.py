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

from ridgeline.tables.cells import without
from ridgeline.tables.charset import encoding_of, likely_encoding
from ridgeline.tables.dialect import Dialect
from ridgeline.tables.files import BadTable, is_gzip, text_of

AT_ONCE = 10_000
"""So many records are read at a time: as Python has them, they are many times the file."""


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

    @property
    def names(self) -> list[str]:
        return list(self._types)

    @cached_property
    def _types(self) -> dict[str, pa.DataType]:
        """All keys, in the order in which they first come: whole numbers, numbers, truth values or text, as the values
        are; mixed ones are text."""
        kinds: dict[str, set[type]] = {}
        for record, _ in self._records():
            for name, value in record.items():
                is_huge = type(value) is int and not -(2**63) <= value < 2**63
                kinds.setdefault(name, set()).add(float if is_huge else type(value))
        if not kinds:
            raise BadTable("the file has columns", "its objects are empty.")
        return {name: _type(own - {type(None)}) for name, own in kinds.items()}

    def place(self, row: int) -> str:
        return f"line {next(line for i, (_, line) in enumerate(self._records()) if i == row)}"

    def pieces(self, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, some thousands at a time."""
        records = []
        for record, _ in self._records():
            records.append(record)
            if len(records) == AT_ONCE:
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
        types = self._types | dict.fromkeys((name for name in strings if name in self._types), pa.string())
        columns = {name: _column([record.get(name) for record in records], kind) for name, kind in types.items()}
        return pa.table({name: without(column, missing) for name, column in columns.items()})

    def finished(
        self, name: str, column: pa.ChunkedArray, missing: Sequence[str], strings: Sequence[str]
    ) -> pa.ChunkedArray:
        """A column of the pieces is whole as it is: their types are those of all values."""
        return column


def _type(kinds: set[type]) -> pa.DataType:
    if kinds == {int}:
        return pa.int64()
    if kinds <= {int, float}:
        return pa.float64()
    return pa.bool_() if kinds == {bool} else pa.string()


def _column(values: list[Any], kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_string(kind):
        values = [None if value is None else str(value) for value in values]
    elif pa.types.is_floating(kind):
        values = list(map(_number, values))
    return pa.chunked_array([pa.array(values, kind)])


def _number(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:  # a whole number beyond the floats
        return math.inf
