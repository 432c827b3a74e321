"""What a page is made of: plain data, wherever they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

History = Sequence[Mapping[str, float]]
"""Of a fit: a row an epoch, with `epoch`, `train/loss`, `val/loss`, `train/error`, `val/error`, ..."""


STATES = ("COMPLETE", "PRUNED", "FAILED", "INTERRUPTED", "RUNNING")


@dataclass(frozen=True)
class Axis:
    """One dimension of the space. `choices`: the values of a list, in order; else it is an interval."""

    key: str
    label: str
    is_log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def is_numeric(self) -> bool:
        return all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in self.choices)

    def place(self, value: Any) -> float:
        """Where a value lies on a picture's axis: by itself, or by its place in the list. NaN: nowhere."""
        if self.choices:
            return float(self.choices.index(value)) if value in self.choices else math.nan
        return float(value) if isinstance(value, (int, float)) else math.nan


@dataclass(frozen=True)
class Trial:
    """`state`: one of `STATES`. `metrics`: `final/...` of those that are complete."""

    number: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    best_epoch: int | None
    epochs: int | None
    seconds: float | None
    run_id: str | None


@dataclass(frozen=True)
class Boundary:
    """Class probabilities of the two networks over a grid (first axis y), and test points, in the data's own units."""

    x_G: np.ndarray
    y_G: np.ndarray
    best_GGC: np.ndarray
    plain_GGC: np.ndarray
    points_N2: np.ndarray
    labels_N: np.ndarray


@dataclass(frozen=True)
class Examples:
    """Test images that the best network gets most wrong. `probability_M`: of the true class."""

    x_MI: np.ndarray
    label_M: np.ndarray
    predicted_M: np.ndarray
    probability_M: np.ndarray
    shape: tuple[int, int]


@dataclass(frozen=True)
class Confirmed:
    """`record` is confirm.json; the pictures' data are beside it where the data set is such that there are any."""

    record: Mapping[str, Any]
    boundary: Boundary | None
    examples: Examples | None


@dataclass(frozen=True)
class Curves:
    """The fits of one configuration: one, or one a seed."""

    title: str
    histories: Sequence[History]


@dataclass(frozen=True)
class Story:
    """A study as the page tells it. `axes` are those of the space, the ones to look at first first.

    `curves` and `weights` are by the network's name: plain, best, over-regularized; `weights` all weight matrices of
    one network, flat. `missing` says in one sentence each why a part is not there. `commands` retrain a trial.
    `importance` are shares by key, or why there are none. `server`: where the MLflow UI is, if it is a web address.
    """

    name: str
    metric: str
    axes: Sequence[Axis]
    trials: Sequence[Trial]
    importance: Mapping[str, float] | str
    curves: Mapping[str, Curves]
    weights: Mapping[str, np.ndarray]
    confirmed: Confirmed | None
    confirm_command: str
    commands: Mapping[int, str]
    server: str | None
    how_to_look: str
    made: Sequence[tuple[str, str]]
    missing: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def complete(self) -> list[Trial]:
        """The best first, of equal ones the earlier."""
        known = [t for t in self.trials if t.state == "COMPLETE" and t.value is not None and math.isfinite(t.value)]
        return sorted(known, key=lambda t: (t.value, t.number))
