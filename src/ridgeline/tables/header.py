"""The first row of a text file: the names of the columns, or a sign that they are missing."""

from __future__ import annotations

import contextlib
import math
from collections import Counter

from ridgeline.tables.dialect import Row
from ridgeline.tables.files import BadTable


def names_of(rows: list[Row]) -> list[str]:
    """The columns' names, "" for one without. Raises BadTable where they cannot be names."""
    header, *others = rows
    _require_names(header, others)
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise BadTable("each column has a name of its own", f"{_quoted(twice)} named more than once.")
    return header


def _require_names(header: Row, others: list[Row]) -> None:
    """Raise BadTable where the first row looks like the rest: then there is no header."""
    given = [cell for cell in header if cell]
    numbers = [number for number in map(_number, given) if number is not None]
    counted = numbers in ([float(i) for i in range(len(header))], [float(i + 1) for i in range(len(header))])
    values = [set(column) for column in zip(*(row for row in others if len(row) == len(header)), strict=True)]
    words = [(name, i) for i, name in enumerate(header) if name and _number(name) is None]
    seen = [name for name, i in words if values and name in values[i]]
    is_data = (
        (given and len(numbers) == len(given) and not counted)
        or any(not number.is_integer() for number in numbers)
        or (2 * len(seen) >= len(words) and len(seen) + (len(numbers) > 0) > 1 and len(seen) > 0)
    )
    if is_data:
        detail = f"it reads {', '.join(header[:6])}{' ...' if len(header) > 6 else ''}. Put a line of names before it."
        raise BadTable("the first line names the columns", detail)


def _number(cell: str) -> float | None:
    with contextlib.suppress(ValueError):
        number = float(cell.replace(",", "."))
        return number if math.isfinite(number) else None
    return None


def _quoted(names: list[str], most: int = 5) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return f"{shown}{' ...' if len(names) > most else ''} {'is' if len(names) == 1 else 'are'}"
