"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`figure`: what was measured, in a sentence or a few lines."""

    check: str
    passed: bool
    figure: str

    def __str__(self) -> str:
        return f"{self.check}: {'pass' if self.passed else 'FAIL'}. {self.figure}"
