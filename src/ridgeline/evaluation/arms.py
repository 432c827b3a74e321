"""The two networks that are compared on the test split, best and baseline: retrained on train and validation.

S seeds, N examples, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import Any

import numpy as np
import torch

from ridgeline.config import Config
from ridgeline.data import Split, load_splits
from ridgeline.evaluation.candidates import Candidate
from ridgeline.evaluation.fits import FitsFailed, train_all
from ridgeline.evaluation.measuring import BY_SEEDS, Measured
from ridgeline.evaluation.statistics import (
    EACH,
    LEVEL,
    Estimate,
    Sample,
    calibration_error,
    estimate,
    of_root,
    of_roots,
    over_seeds,
)
from ridgeline.stack.evaluation import data_loss_of
from ridgeline.stack.prediction import logits_KNC
from ridgeline.stack.records import FitResult
from ridgeline.stack.sparsity import weights_W
from ridgeline.stack.workers import Workers
from ridgeline.tasks.data_loss import DataLoss
from ridgeline.tasks.figures import FIGURES, of_examples

BEST, BASELINE = "best", "baseline"

SMALL = 1e-3
"""A weight below it in size is all but gone."""


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: a configuration that was retrained, with a fit for each seed."""

    candidate: Candidate
    config: Config
    seeds: list[int]
    fits: list[FitResult]


def retrain(
    candidates: Sequence[Candidate], seeds: list[int], workers: Workers, progress: Callable[[], None]
) -> list[Arm]:
    """Retrain each candidate for its median best epoch, with every seed. Raises FitsFailed if a fit diverges.

    The number of epochs is fixed before, since no split is left that could choose one. A module of the user's own
    trains as it did in the study, on its train split, for its DataModule alone says what trains: validation chooses the
    epoch.
    """
    outcomes = retrain_each([(candidate, seeds) for candidate in candidates], workers, progress)
    for found in outcomes:
        if isinstance(found, str):
            raise FitsFailed(found)
    return [arm for arm in outcomes if isinstance(arm, Arm)]


def retrain_each(
    asked: Sequence[tuple[Candidate, list[int]]], workers: Workers, progress: Callable[[], None]
) -> list[Arm | str]:
    """The same of candidates with seeds of their own; in words why one of them has no arm."""
    configs = [_on_both_splits(c.config, c.epochs) if c.config.model is None else c.config for c, _ in asked]
    fits = [replace(config, seed=seed) for config, (_, seeds) in zip(configs, asked, strict=True) for seed in seeds]
    outcomes, arms = iter(train_all(fits, workers, progress)), list[Arm | str]()
    for config, (candidate, seeds) in zip(configs, asked, strict=True):
        own = [next(outcomes) for _ in seeds]
        reasons = [reason for reason in own if isinstance(reason, str)]
        if reasons:
            arms.append(f"{len(reasons)} of {len(seeds)} fits failed when they were retrained: {reasons[0]}.")
        else:
            arms.append(Arm(candidate, config, seeds, [fit for fit in own if isinstance(fit, FitResult)]))
    return arms


def _on_both_splits(config: Config, epochs: int) -> Config:
    return replace(
        config,
        metric="train/loss",
        data=replace(config.data, fit_on="train_validation", folds=None),
        trainer=replace(config.trainer, max_epochs=epochs, restore_best=False),
        callbacks=replace(config.callbacks, early_stopping=None),
    )


def measure(config: Config, fits: Sequence[FitResult], split: Split, figure: str | None = None) -> Measured:
    """Apply the fits to the examples of a split. `config`: any that has the same structure as theirs.

    `figure`: what the errors are of; None: the one that is usual for the loss.
    """
    logits_SNC = logits_KNC(config, [fit.weights for fit in fits], split.x_NI)
    return measured_by(config, logits_SNC, split, figure)


def measured_by(config: Config, logits_SNC: torch.Tensor, split: Split, figure: str | None = None) -> Measured:
    """What is measured of outputs, whatever gives them: the log-probabilities of classes, or standardized numbers."""
    s, n, c = logits_SNC.shape
    labels_SN = split.y_N.expand(s, -1)
    weights_1C = data_loss_of(config, load_splits(config.data), 1).weights_KC
    data_loss = DataLoss(config.loss, None if weights_1C is None else weights_1C.expand(s * n, c))
    losses_SN = data_loss.each_KB(logits_SNC.reshape(s * n, 1, c), labels_SN.reshape(-1, 1)).view(s, n)
    each = FIGURES[figure or of_examples("train/loss", config.predicted, config.loss.name)].each
    assert each is not None
    predictions_SNC = predictions_of(config, logits_SNC)
    if config.predicted == "classification":  # a rounded probability is not as exact as a logit
        errors_SN = each(logits_SNC, labels_SN)
    else:
        errors_SN = each(torch.from_numpy(predictions_SNC), torch.from_numpy(targets_of(config, split)).expand(s, -1))
    return Measured(predictions_SNC, errors_SN.double().numpy(), losses_SN.double().numpy())


def predictions_of(config: Config, outputs_SNC: torch.Tensor) -> np.ndarray:
    """(S, N, C) The probabilities of the classes; in regression, with C = 1, the numbers in the targets' own unit."""
    if config.predicted == "classification":
        return outputs_SNC.softmax(dim=2).numpy()
    return load_splits(config.data).scaler.undo_targets(outputs_SNC.numpy())


def targets_of(config: Config, split: Split) -> np.ndarray:
    """(N,) The classes; in regression the numbers in their own unit."""
    y_N = split.y_N.numpy()
    return y_N if config.predicted == "classification" else load_splits(config.data).scaler.undo_targets(y_N)


def describe(
    arm: Arm,
    measured: Measured,
    targets_N: np.ndarray,
    figure: str,
    sample: Sample = EACH,
    *,
    asked: str = "",
    train_S: np.ndarray | None = None,
) -> dict[str, Any]:
    """One side as `confirm.json` stores it. `figure`: what the errors are of; `asked`: what the study was by.

    `train_S`: (S, 2) figure and loss on the train split; None: as the fits have measured them.
    """
    if train_S is None:
        kept = (f"final/train_{figure}", "final/train_loss")
        train_S = np.array([[fit.metrics[name] for name in kept] for fit in arm.fits])
    return {
        **_network(arm),
        "test": on_test(measured, targets_N, figure, sample, asked),
        "train": {figure: float(train_S[:, 0].mean()), "loss": float(train_S[:, 1].mean())},
        "gap": interval(estimate(measured.losses_SN - train_S[:, 1:], reach=math.inf, sample=sample)),
    }


def on_test(
    measured: Measured, targets_N: np.ndarray, figure: str, sample: Sample = EACH, asked: str = ""
) -> dict[str, Any]:
    """The figure and the loss with their intervals, and what is told beside them."""
    return {
        figure: _of_errors(measured.errors_SN, figure, sample),
        "loss": above_zero(estimate(measured.losses_SN, reach=math.inf, sample=sample)),
        **_beside(measured.predictions_SNC, targets_N, figure, sample.weights_N),
        **_asked(measured.predictions_SNC, targets_N, asked, sample.weights_N),
    }


def describe_by_seeds(arm: Arm, measured: Measured, figure: str) -> dict[str, Any]:
    """One side of which the figure alone is known, of each seed."""
    return {**_network(arm), "test": {figure: interval(over_seeds(measured.errors_SN[:, 0]))}}


def _network(arm: Arm) -> dict[str, Any]:
    """What is told of the networks of one side, whatever they are measured by."""
    weights_S = [weights_W(fit.weights) for fit in arm.fits]
    chosen = median_low(fit.best_epoch for fit in arm.fits)
    return {
        "trial": arm.candidate.trial,
        "params": arm.candidate.params,
        "epochs": arm.config.trainer.max_epochs if arm.config.model is None else chosen,
        "seeds": arm.seeds,
        "parameters": sum(tensor.numel() for tensor in arm.fits[0].weights.values()),
        "sparsity": {
            "weights": float(np.mean([(w == 0).double().mean() for w in weights_S])),
            "small": float(np.mean([(w.abs() < SMALL).double().mean() for w in weights_S])),
        },
        "weight_norm": float(np.mean([float(w.double().norm()) for w in weights_S])),
    }


def _of_errors(errors_SN: np.ndarray, figure: str, sample: Sample) -> dict[str, float]:
    if figure == "error":
        return of_rate(estimate(errors_SN, sample=sample), sample.count(errors_SN.shape[1]))
    found = estimate(errors_SN, reach=math.inf, sample=sample)
    return above_zero(of_root(found) if figure == "rmse" else found)


def _beside(
    predictions_SNC: np.ndarray, targets_N: np.ndarray, figure: str, weights_N: np.ndarray | None
) -> dict[str, float]:
    """What else tells how good the predictions are, a mean over the seeds."""
    if figure == "error":
        found = [calibration_error(p_NC, targets_N, weights_N=weights_N) for p_NC in predictions_SNC]
        return {"ece": float(np.mean(found))}
    squared_SN = (predictions_SNC[:, :, 0] - targets_N) ** 2
    if weights_N is None:
        return {"r2": float(1 - squared_SN.sum(axis=1).mean() / ((targets_N - targets_N.mean()) ** 2).sum())}
    spread_N = (targets_N - np.average(targets_N, weights=weights_N)) ** 2
    return {"r2": float(1 - (squared_SN @ weights_N).mean() / (spread_N @ weights_N))}


def _asked(
    predictions_SNC: np.ndarray, targets_N: np.ndarray, name: str, weights_N: np.ndarray | None
) -> dict[str, float]:
    """The figure that the study was by, a mean over the seeds, where it is one of all examples together."""
    whole = FIGURES[name].whole if name in FIGURES else None
    if whole is None or name == "r2":  # which is always told
        return {}
    outputs_SNC = torch.from_numpy(predictions_SNC).double()
    if FIGURES[name].task == "classification":  # whose softmax they are
        outputs_SNC = outputs_SNC.clamp_min(torch.finfo(torch.float64).tiny).log()
    targets_SN = torch.from_numpy(targets_N).expand(len(outputs_SNC), -1)
    weights_SN = None if weights_N is None else torch.from_numpy(weights_N).expand(len(outputs_SNC), -1)
    return {name: float(whole(outputs_SNC, targets_SN, weights_SN).mean())}


def compare(best: Measured, baseline: Measured, figure: str, sample: Sample = EACH) -> dict[str, Any]:
    """The figure and the loss of the one minus those of the other, with intervals and tests: of the same examples.

    `groups`: how many groups they were drawn in; None: each by itself.
    """
    losses = estimate(best.losses_SN - baseline.losses_SN, reach=math.inf, sample=sample)
    reach = 1.0 if figure == "error" else math.inf
    found = estimate(best.errors_SN - baseline.errors_SN, reach=reach, sample=sample)
    if figure == "rmse":
        found = of_roots(found, *(math.sqrt(sample.mean(one.errors_SN)) for one in (best, baseline)))
    tests = {figure: tested(found), "loss": tested(losses), "test": sample.test}
    return tests if sample.groups_N is None else {**tests, "groups": sample.n_groups}


def compare_by_seeds(best: Measured, baseline: Measured, figure: str) -> dict[str, Any]:
    """The figure of the one minus that of the other, of the same seeds."""
    return {figure: tested(over_seeds((best.errors_SN - baseline.errors_SN)[:, 0])), "test": BY_SEEDS}


def interval(found: Estimate) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def of_rate(found: Estimate, n_examples: float) -> dict[str, float]:
    """The interval of a share of examples. If none or all of them count, it is the one that so many examples, or groups
    of them, allow (Clopper, Pearson 1934)."""
    room = 1 - ((1 - LEVEL) / 2) ** (1 / n_examples)
    if found.mean in (0.0, 1.0):
        return {**interval(found), **({"high": room} if found.mean == 0.0 else {"low": 1 - room})}
    return {**interval(found), "low": max(0.0, found.low), "high": min(1.0, found.high)}


def above_zero(found: Estimate) -> dict[str, float]:
    """The interval of something that cannot be negative."""
    return {**interval(found), "low": max(0.0, found.low)}


def tested(found: Estimate) -> dict[str, float | None]:
    return {**interval(found), "p_value": found.p_value, "degrees_of_freedom": found.degrees_of_freedom}
