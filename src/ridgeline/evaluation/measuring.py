"""How the two sides of a comparison are measured: by the errors of examples, or by what a module's `test_step` logs.

S seeds, N examples, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ridgeline.checking import ConfigError
from ridgeline.config import Config
from ridgeline.data import drawing_with, load_splits
from ridgeline.lightning.answers import (
    Answers,
    Kind,
    answers,
    kind_of,
    logged,
    name_on_test,
    train_of,
    validation_of,
)
from ridgeline.stack.records import FitResult
from ridgeline.tasks.figures import FIGURES, of_examples
from ridgeline.tasks.losses import Task

BY_SEEDS = "paired t test over seeds alone: how much other test examples would change it, it does not say"


@dataclass(frozen=True)
class Measuring:
    """`figure`: what a verdict is about. `answer`: of a module whose outputs can be had, what these are, and whether
    they end in a sigmoid. `by_seeds`: its outputs cannot be had, and the figure is one that its `test_step` logs."""

    figure: str
    task: Task
    answer: tuple[Kind, bool] | None = None
    by_seeds: bool = False
    larger_is_better: bool = False


@dataclass(frozen=True)
class Measured:
    """What the networks of one side, S seeds, predict for the examples of one split.

    `predictions_SNC`: the probabilities of the classes; in regression, with C = 1, the target in its own unit.
    `errors_SN`: what the figure of a verdict is made of, 1 for a wrong class, a squared or an absolute error; of a
    figure that is measured by seeds alone, its value, (S, 1).
    """

    predictions_SNC: np.ndarray
    errors_SN: np.ndarray
    losses_SN: np.ndarray


@lru_cache(maxsize=4)
def measuring_of(config: Config) -> Measuring:
    """How a study with configurations like this one is confirmed. Raises ConfigError where it cannot be."""
    if config.model is None:
        return Measuring(of_examples(config.metric, config.predicted, config.loss.name), config.predicted)
    with drawing_with(0):
        answer = kind_of(config)
        if answer is not None:
            task: Task = "regression" if answer[0] == "numbers" else "classification"
            last = config.metric.lower()
            numbers = "mae" if "mae" in last or "l1" in last else "rmse"
            return Measuring("error" if task == "classification" else numbers, task, answer)
        known = logged(config, None, validation_of(config))
    name = name_on_test(config.metric, known)
    if name is None:
        rule = "the model's forward(x) gives scores of classes or a number for each example of a batch (x, y), or its"
        found = ", ".join(sorted(known)) or "nothing"
        raise ConfigError(
            f"`{rule} test_step logs what metric={config.metric} is on test data` must hold, but {found}."
        )
    return Measuring(name, config.predicted, by_seeds=True, larger_is_better=config.direction == "maximize")


def measure_module(
    config: Config, fits: Sequence[FitResult], data: Any, measuring: Measuring
) -> tuple[Measured, np.ndarray, tuple[int, ...]]:
    """What the fits of a module answer to the examples of `data`, the targets, and the shape of an example."""
    if measuring.by_seeds:
        values_S = [logged(config, fit.weights, data).get(measuring.figure, float("nan")) for fit in fits]
        if not np.isfinite(values_S).all():
            raise ConfigError(f"`{measuring.figure} is logged with each seed` must hold, but got {values_S}.")
        nothing = np.empty((len(fits), 0))
        return Measured(nothing[:, :, None], np.array(values_S)[:, None], nothing), np.empty(0), ()
    assert measuring.answer is not None
    found = [answers(config, fit.weights, data, measuring.answer) for fit in fits]
    if any(not one.targets_N.equal(found[0].targets_N) for one in found):
        rule = f"{config.data.title} gives its test examples in the same order each time"
        raise ConfigError(f"`{rule}` must hold, but got another one.")
    return *measure_answers(config, found, measuring), found[0].shape


def measure_answers(config: Config, found: Sequence[Answers], measuring: Measuring) -> tuple[Measured, np.ndarray]:
    """What answers to the same examples are, and the targets of these."""
    return _measured(config, found, measuring), _targets(config, found[0], measuring)


def train_figures(config: Config, fits: Sequence[FitResult], measuring: Measuring) -> np.ndarray:
    """(S, 2) Figure and loss of each fit on its train split."""
    assert measuring.answer is not None
    data, rows = train_of(config), []
    for fit in fits:
        own = _measured(config, [answers(config, fit.weights, data, measuring.answer)], measuring)
        error = float(own.errors_SN.mean())
        rows.append([error**0.5 if measuring.figure == "rmse" else error, float(own.losses_SN.mean())])
    return np.array(rows)


def _measured(config: Config, found: Sequence[Answers], measuring: Measuring) -> Measured:
    each = FIGURES[measuring.figure].each
    assert each is not None
    outputs_SNC, targets_SN = torch.stack([one.outputs_NC for one in found]), found[0].targets_N.expand(len(found), -1)
    if measuring.task == "classification":
        losses_SN = -outputs_SNC.log_softmax(dim=2).gather(2, targets_SN.unsqueeze(2))[:, :, 0]
        predictions_SNC, errors_SN = outputs_SNC.softmax(dim=2).numpy(), each(outputs_SNC, targets_SN)
    else:
        losses_SN = (outputs_SNC[:, :, 0] - targets_SN).square()
        predictions_SNC = in_own_unit(config, outputs_SNC.double().numpy())
        own_SN = torch.from_numpy(in_own_unit(config, targets_SN.numpy()))
        errors_SN = each(torch.from_numpy(predictions_SNC), own_SN)
    return Measured(predictions_SNC, errors_SN.double().numpy(), losses_SN.double().numpy())


def _targets(config: Config, found: Answers, measuring: Measuring) -> np.ndarray:
    targets_N = found.targets_N.numpy()
    return targets_N if measuring.task == "classification" else in_own_unit(config, targets_N)


def in_own_unit(config: Config, values: np.ndarray) -> np.ndarray:
    """Numbers as the data have them: a DataModule's are not ours to scale."""
    return values if config.data.is_module else load_splits(config.data).scaler.undo_targets(values)
