"""Numbers and keys as the page writes them, with the signs and spaces of a printed page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ridgeline.command_line import numbers

OPENED_BEFORE = (
    "What was chosen after an earlier opening may follow from what that one showed: these numbers may flatter."
)
"""Of a test split that was opened more than once."""

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
LONGEST = 32
"""Letters of a text from data in a picture."""


def number(value: Any, *, aligned: bool = False) -> str:
    """Four significant digits; text as it is. `aligned`: with zeros at the end, as in a column of what was measured."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    shown = f"{value:,}" if isinstance(value, int) else numbers.digits(value, aligned=aligned)
    return shown.replace("-", MINUS, 1 if value < 0 else 0)


def tick(value: float) -> str:
    """Along an axis: `1e-4`, `0.001`, `20000`."""
    if 0 < abs(value) < 1e-3:
        digits, _, power = f"{value:e}".partition("e")
        return f"{float(digits):g}e{int(power)}".replace("-", MINUS, 1 if value < 0 else 0)
    return f"{value:g}".replace("e+0", "e").replace("-", MINUS)


def percent(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None or math.isnan(value) else f"{100 * value:.{digits}f}%".replace("-", MINUS)


def percent_estimate(estimate: Mapping[str, float]) -> str:
    """`2.31% [1.90, 2.75]`."""
    low, high = (f"{100 * estimate[end]:.2f}".replace("-", MINUS) for end in ("low", "high"))
    return f"{percent(estimate['mean'])} [{low},{NBSP}{high}]"


def estimate(estimate: Mapping[str, float]) -> str:
    low, high = (f"{estimate[end]:.4f}".replace("-", MINUS) for end in ("low", "high"))
    return f"{estimate['mean']:.4f} [{low},{NBSP}{high}]".replace("-", MINUS, 1 if estimate["mean"] < 0 else 0)


def figure(name: str, value: float | None) -> str:
    """A figure's value: the error in percent, a number in the targets' unit as it is."""
    return percent(value) if name == "error" else number(value, aligned=True)


def figure_estimate(name: str, estimate: Mapping[str, float]) -> str:
    """With its interval: `2.31% [1.90, 2.75]`, `54.21 [51.03, 57.88]`."""
    if name == "error":
        return percent_estimate(estimate)
    low, high = (number(estimate[end], aligned=True) for end in ("low", "high"))
    return f"{number(estimate['mean'], aligned=True)} [{low},{NBSP}{high}]"


def difference(name: str, estimate: Mapping[str, float], unit: str = "") -> str:
    """Of two figures, with its interval: `+0.08 points [-0.43, +0.60]`; of errors in points, which `unit` may say."""

    def write(value: float) -> str:
        if name == "error":
            return f"{100 * value:+.2f}"
        return f"{value:+.4f}" if name == "loss" else numbers.digits(value, sign="+", aligned=True)

    mean, low, high = (write(estimate[end]).replace("-", MINUS, 1) for end in ("mean", "low", "high"))
    return f"{mean}{unit} [{low},{NBSP}{high}]"


def settings(params: Mapping[str, Any]) -> str:
    """`l2 0.0016, dropout 0.06`."""
    labels = short_names(params)
    return ", ".join(f"{labels[key]} {number(value)}" for key, value in params.items()) or "regularization off"


def p_value(p: float) -> str:
    return numbers.chance(p).replace(" ", NBSP)


def seconds(value: float | None) -> str:
    """`2 h 5 min`, `3 min 20 s`, `4.2 s`."""
    if value is None or math.isnan(value):
        return NOTHING
    if value < 100:
        return f"{value:.1f} s"
    if value < 6000:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"


def counted(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def ordinal(n: int) -> str:
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return {1: "first", 2: "second", 3: "third"}.get(n, f"{n}{ending}")


def moment(text: str) -> str:
    """`2026-11-03 14:05 UTC` of an ISO time in UTC; what is none stays as it is."""
    date, t, clock = text.partition("T")
    return f"{date} {clock[:5]} UTC" if t else text


def revision(commit: str | None) -> str:
    return commit[:10] if commit else "unknown"


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """`l2` instead of `regularization.l2` where that is unambiguous."""
    keys = list(keys)
    last = Counter(_last(key) for key in keys)
    return {key: _last(key) if last[_last(key)] == 1 else key for key in keys}


def in_picture(text: str) -> str:
    """Text that comes from data, for matplotlib: not too long, and a dollar is no formula."""
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return shown.replace("$", r"\$")


def _last(key: str) -> str:
    return key.rpartition(".")[2]
