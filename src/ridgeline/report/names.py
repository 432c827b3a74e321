"""How keys are called in pictures and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

LONGEST = 32


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
