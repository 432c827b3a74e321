"""The two networks that are compared on the test split, best and baseline: retrained on train and validation.

S seeds, N examples, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ridgeline.config import Config
from ridgeline.data import Split, load_splits
from ridgeline.evaluation.candidates import Candidate
from ridgeline.evaluation.fits import FitsFailed, train_all
from ridgeline.evaluation.statistics import LEVEL, Estimate, calibration_error, estimate
from ridgeline.stack.evaluation import data_loss_of
from ridgeline.stack.prediction import logits_KNC
from ridgeline.stack.records import FitResult
from ridgeline.stack.sparsity import weights_W
from ridgeline.stack.workers import Workers
from ridgeline.tasks.data_loss import DataLoss

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


@dataclass(frozen=True)
class Measured:
    """What the networks of one side, S seeds, predict for the examples of one split."""

    probabilities_SNC: np.ndarray
    errors_SN: np.ndarray
    losses_SN: np.ndarray


def retrain(
    candidates: Sequence[Candidate], seeds: list[int], workers: Workers, progress: Callable[[], None]
) -> list[Arm]:
    """Retrain each candidate for its median best epoch, with every seed. Raises FitsFailed if a fit diverges.

    The number of epochs is fixed before, since no split is left that could choose one.
    """
    configs = [_on_both_splits(c.config, c.epochs) for c in candidates]
    outcomes = train_all([replace(c, seed=seed) for c in configs for seed in seeds], workers, progress)
    arms = []
    for i, (candidate, config) in enumerate(zip(candidates, configs, strict=True)):
        fits = outcomes[i * len(seeds) : (i + 1) * len(seeds)]
        reasons = [reason for reason in fits if isinstance(reason, str)]
        if reasons:
            raise FitsFailed(f"{len(reasons)} of {len(seeds)} fits failed when they were retrained: {reasons[0]}.")
        arms.append(Arm(candidate, config, seeds, [fit for fit in fits if isinstance(fit, FitResult)]))
    return arms


def _on_both_splits(config: Config, epochs: int) -> Config:
    return replace(
        config,
        metric="train/loss",
        data=replace(config.data, fit_on="train_validation", folds=None),
        trainer=replace(config.trainer, max_epochs=epochs, restore_best=False),
        callbacks=replace(config.callbacks, early_stopping=None),
    )


def measure(config: Config, fits: Sequence[FitResult], split: Split) -> Measured:
    """Apply the fits to the examples of a split. `config`: any that has the same structure as theirs."""
    logits_SNC = logits_KNC(config, [fit.weights for fit in fits], split.x_NI)
    s, n, c = logits_SNC.shape
    labels_SN = split.y_N.expand(s, -1)
    weights_1C = data_loss_of(config, load_splits(config.data), 1).weights_KC
    data_loss = DataLoss(config.loss, None if weights_1C is None else weights_1C.expand(s * n, c))
    losses_SN = data_loss.each_KB(logits_SNC.reshape(s * n, 1, c), labels_SN.reshape(-1, 1)).view(s, n)
    errors_SN = (logits_SNC.argmax(dim=2) != labels_SN).double()
    return Measured(logits_SNC.softmax(dim=2).numpy(), errors_SN.numpy(), losses_SN.double().numpy())


def describe(arm: Arm, measured: Measured, labels_N: np.ndarray) -> dict[str, Any]:
    """One side as `confirm.json` stores it."""
    train_S = np.array([[fit.metrics["final/train_error"], fit.metrics["final/train_loss"]] for fit in arm.fits])
    weights_S = [weights_W(fit.weights) for fit in arm.fits]
    tree = arm.candidate
    return {
        "trial": tree.trial,
        "params": tree.params,
        "epochs": arm.config.trainer.max_epochs,
        "seeds": arm.seeds,
        "parameters": sum(tensor.numel() for tensor in arm.fits[0].weights.values()),
        "test": {
            "error": of_rate(estimate(measured.errors_SN), len(labels_N)),
            "loss": above_zero(estimate(measured.losses_SN, reach=math.inf)),
            "ece": float(np.mean([calibration_error(p_NC, labels_N) for p_NC in measured.probabilities_SNC])),
        },
        "train": {"error": float(train_S[:, 0].mean()), "loss": float(train_S[:, 1].mean())},
        "gap": interval(estimate(measured.losses_SN - train_S[:, 1:], reach=math.inf)),
        "sparsity": {
            "weights": float(np.mean([(w == 0).double().mean() for w in weights_S])),
            "small": float(np.mean([(w.abs() < SMALL).double().mean() for w in weights_S])),
        },
        "weight_norm": float(np.mean([float(w.double().norm()) for w in weights_S])),
    }


def interval(found: Estimate) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def of_rate(found: Estimate, n_examples: int) -> dict[str, float]:
    """The interval of a share of examples. If none or all of them count, it is the one that so many examples allow
    (Clopper, Pearson 1934)."""
    room = 1 - ((1 - LEVEL) / 2) ** (1 / n_examples)
    if found.mean in (0.0, 1.0):
        return {**interval(found), **({"high": room} if found.mean == 0.0 else {"low": 1 - room})}
    return {**interval(found), "low": max(0.0, found.low), "high": min(1.0, found.high)}


def above_zero(found: Estimate) -> dict[str, float]:
    """The interval of something that cannot be negative."""
    return {**interval(found), "low": max(0.0, found.low)}


def tested(found: Estimate) -> dict[str, float | None]:
    return {**interval(found), "p_value": found.p_value, "degrees_of_freedom": found.degrees_of_freedom}
