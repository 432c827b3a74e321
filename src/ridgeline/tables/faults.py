"""Which line of a text file is wrong, once it is known that one is."""

from __future__ import annotations

import csv
from pathlib import Path

from ridgeline.tables.dialect import SEPARATORS, Dialect, numbered_rows
from ridgeline.tables.files import BadTable


def wrong_row(file: Path, dialect: Dialect, width: int, error: Exception) -> BadTable:
    """The error for the first row that has another number of cells than the header, or Arrow's own where none has."""
    rule, before = "each row has as many cells as the header", 0
    for row, line in numbered_rows(file, dialect):
        if len(row) != width:
            cure = f" Quote a cell that holds the separator ({SEPARATORS[dialect.separator]})."
            return BadTable(
                rule, f"line {before + 1} has {len(row)}, the header {width}.{cure if len(row) > width else ''}"
            )
        before = line
    return BadTable("each row can be read", str(error))


def require_closed_quotes(file: Path, dialect: Dialect) -> None:
    """Raise BadTable where a quote is open at the end of the file."""
    before, rows = 0, numbered_rows(file, dialect, strict=True)
    try:
        for _, line in rows:
            before = line
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise BadTable("each quote is closed", f"the one in line {before + 1} is not.") from error
