"""Settings of the entry points that follow training: they decide nothing about any fit."""

from __future__ import annotations

from dataclasses import dataclass

from ridgeline.checking import require


@dataclass(frozen=True)
class PrepareConfig:
    """Of pipelines/prepare.py. `summary`: a JSON file that gets what it says (for DVC); `sheet`: a PNG that gets some
    images of each class, and the same ones augmented where that is on; null: none."""

    summary: str | None = None
    sheet: str | None = None

    def check(self) -> None:
        ends = self.summary is None or self.summary.endswith(".json")
        require(ends, "prepare.summary ends in .json", "prepare.summary", self.summary)
        ends = self.sheet is None or self.sheet.endswith(".png")
        require(ends, "prepare.sheet ends in .png", "prepare.sheet", self.sheet)


@dataclass(frozen=True)
class ConfirmConfig:
    """Of pipelines/confirm.py.

    The `top` best configurations of the study train with `selection_seeds` new seeds, the best of them and the baseline
    with `seeds` others. `lr_factor`: how far from the study's learning rate that of the baseline is looked
    for, up and down. `ensemble`: whether means of the study's networks are measured beside the winner, and become the
    champion. `leave_one_out`: whether the winner is trained without each of its regularizers, and with each alone.
    `summary`: a JSON file that gets the numbers too, without times (for DVC).
    """

    top: int = 5
    selection_seeds: int = 5
    seeds: int = 20
    lr_factor: float = 10.0
    ensemble: bool = False
    leave_one_out: bool = False
    summary: str | None = None

    def check(self) -> None:
        require(self.top >= 1, "confirm.top >= 1", "confirm.top", self.top)
        n = self.selection_seeds
        require(n >= 2, "confirm.selection_seeds >= 2", "confirm.selection_seeds", n)
        require(self.seeds >= 2, "confirm.seeds >= 2", "confirm.seeds", self.seeds)
        require(1 < self.lr_factor <= 1e4, "1 < confirm.lr_factor <= 10000", "confirm.lr_factor", self.lr_factor)
        ends = self.summary is None or self.summary.endswith(".json")
        require(ends, "confirm.summary ends in .json", "confirm.summary", self.summary)


@dataclass(frozen=True)
class CaseStudyConfig:
    """Of pipelines/case_study.py: `seeds` of each variant, `n_trials` of the search for the tuned one.

    `out`: the page to write, with its picture in a folder `images` beside it; null: in the runs folder.
    """

    seeds: int = 10
    n_trials: int = 32
    out: str | None = None

    def check(self) -> None:
        require(self.seeds >= 2, "case_study.seeds >= 2", "case_study.seeds", self.seeds)
        require(self.n_trials >= 1, "case_study.n_trials >= 1", "case_study.n_trials", self.n_trials)


@dataclass(frozen=True)
class ClaimsConfig:
    """Of pipelines/claims.py: `seeds` of each network that is compared.

    `out`: the page to write, with its pictures in a folder `images` beside it; null: in the runs folder.
    """

    seeds: int = 10
    out: str | None = None

    def check(self) -> None:
        require(self.seeds >= 2, "claims.seeds >= 2", "claims.seeds", self.seeds)
