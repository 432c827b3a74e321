"""Dates: which format a column has, its values as moments, and the parts of a moment that are numbers.

N rows, P parts.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from ridgeline.tables.values import bad_value, is_missing, key_of

ISO = "ISO8601"
"""pandas' name of 2024-01-31, 2024-01-31T12:30:00Z and their like, in one column."""
DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y"),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d-%b-%y", "%Y-%m"),
)
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
FORMATS = tuple(day + time for day, time in itertools.product(DAYS, TIMES))
"""Tried in this order: where all values have a meaning with either first, the month goes first, as in skrub."""
NUMBERS = ("%Y%m%d", "%Y%m", "%Y")
"""Formats without separators; only for columns that are declared dates, since they look like any other number."""

PARTS = ("year", "month", "day", "weekday", "season sine", "season cosine", "time sine", "time cosine", "seconds")
"""Season and time are those of the year and of the day, as a point on a circle; the seconds count from 1970."""
SEASON_DP = np.array([[f(2 * math.pi * day / 366) for f in (math.sin, math.cos)] for day in range(366)])
TIME_MP = np.array([[f(2 * math.pi * minute / 1440) for f in (math.sin, math.cos)] for minute in range(1440)])
"""Tables, since NumPy's sine of a number may depend on where it lies in the array."""


def formats_of(texts: Sequence[str], formats: Iterable[str] = FORMATS) -> list[str]:
    """The formats that every text has. Those of a few texts are soon found; all texts then are tried with these."""
    if all(re.match(r"\d{4}-\d{2}-\d{2}([T ]|$)", text) for text in texts) and _fits(texts, ISO):
        return [ISO]
    return [form for form in formats if all(_has(text, form) for text in texts[:10]) and _fits(texts, form)]


def _has(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _fits(texts: Sequence[str], form: str) -> bool:
    return bool(pd.to_datetime(pd.Series(texts), format=form, errors="coerce", utc=True).notna().all())


def as_dates(column: pd.Series, form: str) -> np.ndarray:
    """Moments in UTC, datetime64 of microseconds, NaT where missing. Raises ConfigError for another format."""
    if column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        moments = column
    else:
        texts = pd.Series([_text(value) for value in column], dtype=object)
        moments = pd.to_datetime(texts, format=form, errors="coerce", utc=True)
        wrong = moments.isna() & texts.notna()
        if wrong.any():
            raise bad_value(column, f"is a date like {example_of(form)}", int(wrong.to_numpy().argmax()))
    if isinstance(moments.dtype, pd.DatetimeTZDtype):
        moments = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return moments.to_numpy().astype("datetime64[us]")


def _text(value: object) -> str | None:
    return None if is_missing(value) else key_of(value)


def example_of(form: str) -> str:
    """A date in this format."""
    return "2024-01-31" if form == ISO else datetime(2024, 1, 31, 12, 30).strftime(form)


def parts_of(moments_N: np.ndarray) -> np.ndarray:
    """The parts of moments in the order of PARTS, float64, (N, P), NaN for NaT."""
    missing_N = np.isnat(moments_N)
    moments_N = np.where(missing_N, np.datetime64(0, "us"), moments_N)
    year_N, month_N, day_N = (moments_N.astype(f"datetime64[{unit}]") for unit in "YMD")
    days_N = day_N.astype(np.int64)
    minute_N = (moments_N - day_N).astype("timedelta64[m]").astype(np.int64)
    parts_NP = np.column_stack(
        [
            year_N.astype(np.int64) + 1970,
            month_N.astype(np.int64) % 12 + 1,
            (day_N - month_N).astype(np.int64) + 1,
            (days_N + 3) % 7,
            SEASON_DP[(day_N - year_N).astype(np.int64)],
            TIME_MP[minute_N],
            moments_N.astype("datetime64[s]").astype(np.int64),
        ]
    ).astype(np.float64)
    parts_NP[missing_N] = np.nan
    return parts_NP
