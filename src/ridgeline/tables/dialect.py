"""How a text file separates and writes its cells, told from its start: nobody has to say it."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ridgeline.tables.charset import NAMES
from ridgeline.tables.files import BadTable, is_gzip, text_of

HEAD, ROWS = 1 << 18, 2000
"""So many characters are looked at, and so many rows of them."""

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "spaces"}
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
Row: TypeAlias = list[str]

csv.field_size_limit(1 << 30)  # a text may be long


@dataclass(frozen=True)
class Dialect:
    """What a file is, and for text how its cells are written. `said` puts it into words."""

    kind: str = "CSV"
    """CSV (whatever separates it), Parquet, Feather or JSON lines."""
    gzipped: bool = False
    encoding: str = "utf-8"
    separator: str = ","
    quote: str = '"'
    escape: str | None = None
    """The character before a quote that belongs to the text; None: such a quote is doubled."""
    decimal: str = "."
    padded: bool = False
    """Whether spaces follow the separators."""

    @property
    def said(self) -> str:
        words = [f"{self.kind}{', gzipped' if self.gzipped else ''}"]
        if self.kind == "CSV":
            words.append(f"separated by {SEPARATORS[self.separator]}{' and spaces' if self.padded else ''}")
            words += ["decimal comma"] * (self.decimal == ",")
            words += ["single quotes"] * (self.quote == "'") + ["quotes escaped by \\"] * (self.escape is not None)
        if self.kind in ("CSV", "JSON lines"):
            words.append(NAMES[self.encoding])
        return ", ".join(words)


def detect(file: Path, encoding: str) -> tuple[Dialect, list[Row], int]:
    """The dialect of a text file, the rows of its start, and the line in which the first of them, the header, ends."""
    with text_of(file, encoding, errors="replace") as stream:
        head = stream.read(HEAD)
        is_whole = len(head) < HEAD
        while not is_whole and len(re.findall(r"[\r\n]", head)) < 4:  # very long lines
            more = stream.read(16 * HEAD)
            head, is_whole = head + more, not more
    if not head.strip("\ufeff \t\r\n"):
        raise BadTable("the file is not empty", "it holds nothing but blank lines.")
    ways = [way for way in (_judged(head, is_whole, *how) for how in _ways(head)) if way is not None]
    if not ways:
        raise BadTable("the file is a table", "its quotes leave no rows.")
    _, (separator, quote, escape), rows = max(ways, key=lambda way: way[0])
    dialect = Dialect(
        gzipped=is_gzip(file),
        encoding=encoding,
        separator=separator,
        quote=quote,
        escape=escape,
        decimal=_decimal(rows[1:], separator),
        padded=separator != " " and _is_padded(head, separator, quote, escape),
    )
    _, line = next(numbered_rows(file, dialect))
    return dialect, [[cell.strip() for cell in row] for row in rows], line


def numbered_rows(file: Path, dialect: Dialect, strict: bool = False) -> Iterator[tuple[Row, int]]:
    """Each row that is not blank, and the number of the line that it ends in. Slow: for errors, and for the header."""
    with text_of(file, dialect.encoding, errors="replace") as stream:
        reader = _reader(stream, dialect.separator, dialect.quote, dialect.escape, strict)
        for row in reader:
            if row:
                yield row, reader.line_num


def _reader(lines: Iterable[str], separator: str, quote: str, escape: str | None, strict: bool = False) -> Any:
    if separator == " ":
        lines = (" ".join(line.split()) for line in lines)
    return csv.reader(
        lines, delimiter=separator, quotechar=quote, escapechar=escape, skipinitialspace=True, strict=strict
    )


def _ways(head: str) -> Iterable[tuple[str, str, str | None]]:
    """Each separator, quote and escape that may be meant."""
    quotes = ('"', "'") if "'" in head else ('"',)
    escapes = (None, "\\") if '\\"' in head or "\\'" in head else (None,)
    return itertools.product(SEPARATORS, quotes, escapes)


Way: TypeAlias = tuple[tuple[float, ...], tuple[str, str, str | None], list[Row]]


def _judged(head: str, is_whole: bool, separator: str, quote: str, escape: str | None) -> Way | None:
    """How well the rows that one way gives agree, the way, and the rows; None where it cannot be."""
    reader = _reader(io.StringIO(head, newline=""), separator, quote, escape)
    try:
        rows = [row for row in itertools.islice(reader, ROWS) if row]
        if not is_whole and next(reader, None) is None and len(rows) > 1:  # the last may be cut
            rows.pop()
    except csv.Error:
        return None
    if not rows:
        return None
    width, count = Counter(map(len, rows)).most_common(1)[0]
    agree = count / len(rows)
    if separator == " " and (width < 3 or agree < 1):  # words are separated by spaces too
        return None
    is_left_quoted = quote == '"' and all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in rows[0])
    merits = (
        width > 1 and agree > 0.5,
        separator != " ",
        agree > 0.9,
        not is_left_quoted,
        len(rows[0]) == width,
        agree,
        width,
        separator == ",",
        quote == '"',
        escape is None,
    )
    return tuple(map(float, merits)), (separator, quote, escape), rows


def _is_padded(head: str, separator: str, quote: str, escape: str | None) -> bool:
    """Whether nearly every separator is followed by a space."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator, quotechar=quote, escapechar=escape)
    cells = [cell for row in itertools.islice(reader, ROWS) for cell in row[1:] if cell]
    return sum(cell[0] == " " for cell in cells) > 0.8 * len(cells) > 0


def _decimal(rows: list[Row], separator: str) -> str:
    """A comma, where more cells are numbers with it than with a point."""
    cells = [cell.strip() for row in rows for cell in row]
    commas = [cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)]
    if separator == "," and all(THOUSANDS.fullmatch(cell) for cell in commas):
        return "."
    return "," if len(commas) > sum(DECIMAL_POINT.fullmatch(cell) is not None for cell in cells) else "."
