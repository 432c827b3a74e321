"""What an ablation says: which regularizers earn their place, in a sentence and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.command_line.numbers import chance, digits, number
from ridgeline.tasks.figures import title

WITHOUT, ALONE = "without", "alone"
EARNS, HELPS, NOT_SHOWN, HARMS = "earns its place", "helps", "not shown", "harms"
"""What may be said of a regularizer: the first where it is left out, the second of one that is alone."""

NOTHING_ON = "Nothing is on that regularizes, so there is nothing to leave out."
ONE_ON = "One regularizer is on: the baseline is the best without it, so the verdict says whether it earns its place."


def cost_in_words(n: int, networks: int, fits: int, selection_seeds: int, seeds: int) -> str:
    """Said before any of it trains."""
    each = f"chosen with {selection_seeds} new seeds, retrained with {seeds}"
    return f"Leaving out each of {n} regularizers, and each alone: {networks} networks, {each}; {fits:,} more fits."


def summary_of(regularizers: Sequence[Mapping[str, Any]]) -> str:
    """`Of 3 regularizers dropout earns its place; of l2 and input_noise it is not shown.`"""
    names = short([one["key"] for one in regularizers])
    by_word: dict[str, list[str]] = {EARNS: [], NOT_SHOWN: [], HARMS: []}
    for one in regularizers:
        by_word[one[WITHOUT].get("word", NOT_SHOWN)].append(names[one["key"]])
    earn = by_word[EARNS]
    n = len(regularizers)
    begin = f"Of {n} regularizers {_listed(earn)} {'earns its' if len(earn) == 1 else 'earn their'} place"
    parts = [begin if earn else f"None of the {n} regularizers is shown to earn its place"]
    if by_word[HARMS]:
        parts.append(f"{_listed(by_word[HARMS])} {'harms' if len(by_word[HARMS]) == 1 else 'harm'}")
    if earn and by_word[NOT_SHOWN]:
        parts.append(f"of {_listed(by_word[NOT_SHOWN])} it is not shown")
    return "; ".join(parts) + "."


def ablation_lines(ablation: Mapping[str, Any] | None, figure: str) -> list[str]:
    """What confirming prints of it; nothing where it was not asked for."""
    if ablation is None:
        return []
    if not ablation["regularizers"]:
        return ["", ablation["sentence"]]
    rows: list[tuple[str, ...]] = [("", "left out, it costs", "", "alone, it gains", "")]
    for one in ablation["regularizers"]:
        cells = [cell for kind in (WITHOUT, ALONE) for cell in _cells(one[kind], figure)]
        rows.append((f"{one['key']}={_short(one['value'])}", *cells))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    unit = "points of test error" if figure == "error" else figure if "/" in figure else f"test {title(figure)}"
    note = f"In {unit}, with 95% intervals; p is adjusted for {ablation['comparisons']} comparisons (Holm)."
    return ["", ablation["sentence"], *lines, note]


def _cells(own: Mapping[str, Any], figure: str) -> tuple[str, str]:
    if "gain" not in own:
        return own["failed"], ""
    mean, low, high = (signed(own["gain"][name], figure) for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high}), {chance(own['adjusted_p'])}", own["word"]


def signed(value: float, figure: str) -> str:
    """Of an error in points of percent."""
    return f"{100 * value:+.2f}" if figure == "error" else digits(value, sign="+")


def short(keys: Sequence[str]) -> dict[str, str]:
    """The ends of keys, where those tell them apart."""
    ends = [key.rpartition(".")[2] for key in keys]
    return {key: end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)}


def _short(value: Any) -> str:
    return "on" if isinstance(value, Mapping) else number(value)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
