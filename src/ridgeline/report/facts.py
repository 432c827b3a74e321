"""What a page is made of: plain data, wherever they come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ridgeline.report.notation import number, tick

History = Sequence[Mapping[str, float]]
"""The curve of a fit: a row for each epoch, with `epoch`, `train/loss`, `val/loss` and the figures."""


STATES = ("COMPLETE", "PRUNED", "FAILED", "INTERRUPTED", "RUNNING")


@dataclass(frozen=True)
class Axis:
    """One dimension of the space. `choices`: the values of a list, in order; else it is an interval.

    `beside`: values beside the interval, and where on the axis each of them is.
    """

    key: str
    label: str
    is_log: bool = False
    choices: tuple[Any, ...] = ()
    beside: tuple[tuple[Any, float], ...] = ()

    @property
    def title(self) -> str:
        """The label, with what the axis's numbers do not say: `l2, 0 at 3.2e-7`."""
        return ", ".join(
            [self.label, *(f"{number(v)} at {tick(float(f'{at:.2g}'))}" for v, at in self.beside if v != at)]
        )

    @property
    def is_numeric(self) -> bool:
        return all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in self.choices)

    def place(self, value: Any) -> float:
        """The position of a value on a picture's axis: the value itself, or its position in the list. NaN: none."""
        if self.choices:
            return float(self.choices.index(value)) if value in self.choices else math.nan
        known = dict(self.beside).get(value, value)
        return float(known) if isinstance(known, (int, float)) else math.nan


@dataclass(frozen=True)
class Trial:
    """`state`: one of `STATES`. `metrics`: `final/...` of those that are complete.

    Of a setting that was trained with several `seeds` it is the trial nearest to their mean; value and metrics are the
    means, `deviation` the standard deviation between the seeds.
    """

    number: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    best_epoch: int | None
    epochs: int | None
    seconds: float | None
    run_id: str | None
    seeds: int = 1
    deviation: float | None = None


@dataclass(frozen=True)
class Weights:
    """The entries of all weight matrices of one network in one row; biases are not among them.

    `values_W` are of one fit, for a picture. The numbers are means over the network's fits: the shares of weights that
    are exactly 0, and below 1e-3 in size, and `norm`, the square root of the sum of all squared weights.
    """

    values_W: np.ndarray
    fits: int
    zero: float
    small: float
    norm: float


@dataclass(frozen=True)
class Predicted:
    """The predictions of networks for examples that they did not learn from. C classes, B bins of confidence.

    `where`: which examples, and which networks, in words. By the network's name, over all of its fits: `confusion_CC`,
    of the examples of a class (row) the share that is taken for another (column); `error_C3`, of each class the share
    of wrong ones and its 95% interval; `bins_B3`, the mean confidence, the share of right ones, how many predictions.
    NaN where there is no example. `by`: of what the intervals count how many a class has; None: there are no intervals,
    for the examples belong together in groups, and it is not known which is in which.
    """

    where: str
    classes: Sequence[str]
    confusion_CC: Mapping[str, np.ndarray]
    error_C3: Mapping[str, np.ndarray]
    bins_B3: Mapping[str, np.ndarray]
    by: Literal["examples", "groups of examples"] | None = "examples"


@dataclass(frozen=True)
class PredictedNumbers:
    """The same in regression: targets, and by the network's name the mean of its fits, in the targets' own unit."""

    where: str
    targets_N: np.ndarray
    predicted_N: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Boundary:
    """Class probabilities of the two networks over a grid (first axis y), and test points, in the data's own units."""

    x_G: np.ndarray
    y_G: np.ndarray
    best_GGC: np.ndarray
    baseline_GGC: np.ndarray
    points_N2: np.ndarray
    labels_N: np.ndarray


@dataclass(frozen=True)
class Examples:
    """Test images that the best network gets most wrong. `probability_M`: of the true class. `shape`: (C, H, W)."""

    x_MI: np.ndarray
    label_M: np.ndarray
    predicted_M: np.ndarray
    probability_M: np.ndarray
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Confirmed:
    """`record` is confirm.json; the pictures' data are beside it where the data set is such that there are any."""

    record: Mapping[str, Any]
    boundary: Boundary | None
    examples: Examples | None

    @property
    def class_names(self) -> Sequence[str]:
        """None in regression, and where confirming did not keep them."""
        return tuple(self.record["data"].get("class_names", ()))


@dataclass(frozen=True)
class Curves:
    """The fits of one configuration: one, or one a seed."""

    title: str
    histories: Sequence[History]


@dataclass(frozen=True)
class Story:
    """A study as the page tells it. `figure` is what is told beside the loss: error, rmse or mae; None: a module of the
    user's own measures what it likes. `larger_is_better` is said of the metric. `axes` are those of the space, the ones
    to look at first first.

    `settings` are what is ranked: where a seed is swept, all trials of a setting are one of them; else they are the
    `trials`. `curves` and `weights` are by the network's name: baseline, best, over-regularized. `missing` says in one
    sentence each why a part is not there. `retrain` gives the command that trains the trial of this number again: it is
    asked for the rows that are shown. `importance` are shares by key, or why there are none. `server`: where runs open
    in MLflow; `how_to_look`: what starts it there, None where it runs by itself.
    """

    name: str
    metric: str
    figure: str | None
    larger_is_better: bool
    axes: Sequence[Axis]
    trials: Sequence[Trial]
    settings: Sequence[Trial]
    importance: Mapping[str, float] | str
    curves: Mapping[str, Curves]
    weights: Mapping[str, Weights]
    predicted: Predicted | PredictedNumbers | None
    confirmed: Confirmed | None
    confirm_command: str | None
    retrain: Callable[[int], str]
    server: str
    how_to_look: str | None
    made: Sequence[tuple[str, str]]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_seeds(self) -> bool:
        """Whether what is ranked are means over seeds."""
        return any(t.seeds > 1 for t in self.settings)

    @cached_property
    def complete(self) -> list[Trial]:
        """The best first, of equal ones the earlier."""
        known = [(t.value, t) for t in self.settings if t.state == "COMPLETE" and t.value is not None]
        sign = -1 if self.larger_is_better else 1
        finite = [(sign * value, t.number, t) for value, t in known if math.isfinite(value)]
        return [t for *_, t in sorted(finite, key=lambda one: one[:2])]
