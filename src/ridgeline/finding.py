"""What was understood of data before anything trains, and what looks wrong in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong, and what can be done about it. `is_leak`: it flatters networks on the test split."""

    what: str
    cure: str
    is_leak: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.cure}."


@dataclass(frozen=True)
class Overview:
    """`lines`: what was understood, in words and a table. `findings`: what looks wrong. `columns`: all those of a
    table, with the shares of missing values and the numbers of different ones."""

    lines: tuple[str, ...]
    findings: tuple[Finding, ...]
    columns: tuple[dict[str, str | float | int], ...] = ()
