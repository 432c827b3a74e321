"""What is known of a fit: its clock and curve while it trains, and its result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ridgeline.config import Config
from ridgeline.config.callbacks import EarlyStoppingConfig
from ridgeline.tasks.figures import larger_is_better

Row = dict[str, float]
"""One epoch: `epoch` (from 1), `train/loss`, `train/error`, `train/objective`, `val/loss`, `val/error`, `gap`; in
regression, and where the metric asks for it, other figures of `ridgeline.tasks`; with `callbacks.diagnostics` more."""


FOLD = "fold/"
"""What the names of a trial's tensors begin with where it has folds; then comes the number of the fold."""


class TrialFailed(RuntimeError):
    """A fit that ended without a finite metric; its text is the reason."""


def of_fold(weights: Mapping[str, Tensor], fold: int) -> dict[str, Tensor]:
    """The tensors of one fold of a trial, by the names that they have in its network."""
    begin = f"{FOLD}{fold}/"
    return {name.removeprefix(begin): tensor for name, tensor in weights.items() if name.startswith(begin)}


def as_cost(row: Row, metric: str) -> float:
    """The metric, or its negative where larger is better: the lower the better."""
    return -row[metric] if larger_is_better(metric) else row[metric]


def after_epoch(rule: EarlyStoppingConfig, cost: float, to_beat: float, waited: int) -> tuple[float, int]:
    """What early stopping knows after an epoch of this cost: the value to beat, and for how many epochs in a row it was
    not. It stops when these are `rule.patience`."""
    return (cost, 0) if cost < to_beat - rule.min_delta else (to_beat, waited + 1)


@dataclass
class FitRecord:
    """A fit's own clock (epochs and steps done), its curve, and how it ended; `end` is None while it trains.

    `best_epoch`: the metric was best after so many epochs; 0 before the first. `seconds`: its share of the time that
    its stack trained, which fits that train together divide equally among them.
    `stopping_best` and `waited` belong to early stopping: the value to beat, and for how many epochs it was not.
    Both bests are `as_cost`: the lower the better.
    """

    epoch: int = 0
    step: int = 0
    history: list[Row] = field(default_factory=list)
    best_value: float = math.inf
    best_epoch: int = 0
    stopping_best: float = math.inf
    waited: int = 0
    end: str | None = None
    failure: str | None = None
    seconds: float = 0.0

    def add(self, row: Row, metric: str) -> bool:
        """Take in an epoch's row; whether it is the best so far."""
        self.history.append(row)
        self.epoch += 1
        broken = [name for name in ("train/loss", "val/loss", metric) if not math.isfinite(row[name])]
        if broken:
            self.end = "diverged"
            self.failure = f"{broken[0]} became {row[broken[0]]} in epoch {row['epoch']:.0f}"
            return False
        cost = as_cost(row, metric)
        is_best = cost < self.best_value
        if is_best:
            self.best_value, self.best_epoch = cost, int(row["epoch"])
        return is_best

    def state(self) -> dict[str, Any]:
        """As plain values, for a checkpoint."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class FitResult:
    """How a fit ended.

    `value` is the metric at the restored epoch, after `best_epoch` epochs, NaN after a failure. `metrics` are measured
    there with dropout off, over the whole train and validation splits. `weights` are its tensors by name. `seconds` is
    its share of its stack's time, so that the seconds of all trials add up to what their workers trained.
    """

    config: Config
    value: float
    best_epoch: int
    end: str
    failure: str | None
    history: list[Row]
    metrics: dict[str, float]
    weights: dict[str, Tensor]
    seconds: float

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history)
