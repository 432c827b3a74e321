"""What cells of text hold: numbers, truth values, missing ones."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

PIECE = 100_000
"""So many rows are read at a time."""

MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null")
"""What stands for a missing value; `None` and `none` do not, for they are often a category."""

NUMBER = r"^\s*(?i:[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf(inity)?|nan)|0x[0-9a-f]+)\s*$"
TRUTH = r"^\s*(?i:true|false)\s*$"


def typed(column: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Numbers or truth values, where all of the text is that; its start tells that of most text."""
    start, number = column[:1000], NUMBER.replace("\\.", re.escape(decimal))
    if column.null_count == len(column):
        return column.cast(pa.float64())
    if _all_match(start, TRUTH) and _all_match(column, TRUTH):
        return pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(column)), "true")
    if not _all_match(start, number):
        return column
    if decimal == "." and (numbers := _cast(column)) is not None:
        return numbers
    if not _all_match(column, number):
        return column
    plain = pc.replace_substring(pc.utf8_trim_whitespace(column), decimal, ".")
    if (numbers := _cast(plain)) is not None:
        return numbers
    values = [None if value is None else float(value) for value in plain.to_pylist()]  # 1e999 is infinite
    return pa.chunked_array([pa.array(values, pa.float64())])


def _all_match(column: pa.ChunkedArray, pattern: str) -> bool:
    """Whether each value that is not missing matches; also where all are missing."""
    return bool(pc.all(pc.match_substring_regex(column, pattern), min_count=0).as_py())


def _cast(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The text as whole numbers, or as others; None where some is no number to Arrow."""
    for kind in (pa.int64(), pa.float64()):
        with contextlib.suppress(pa.ArrowInvalid):
            return column.cast(kind)
    return None


def without(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """The column with these values missing: -999 means the number in a column of numbers, however it is written."""
    if missing and pa.types.is_string(column.type):
        return pc.if_else(pc.is_in(column, pa.array(missing)), None, column)
    numbers = [float(text) for text in missing if re.fullmatch(NUMBER, text) and "x" not in text.lower()]
    if numbers and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        is_missing = pc.is_in(column.cast(pa.float64(), safe=False), pa.array(numbers))
        return pc.if_else(is_missing, pa.scalar(None, column.type), column)
    return column
