"""Ensembles of what was trained already, the study's trials and the baseline's: selected on validation, retrained.

M candidates, N examples, C classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from safetensors.torch import load_file
from torch import Tensor

from ridgeline.checking import ConfigError, require
from ridgeline.config import Config
from ridgeline.data import Split, drawing_with, load_splits
from ridgeline.evaluation.arms import BEST, Arm, measured_by, retrain_each
from ridgeline.evaluation.candidates import MOST, Candidate, alone
from ridgeline.evaluation.fits import FitsFailed
from ridgeline.evaluation.fitted import fitted_of
from ridgeline.evaluation.measuring import Measured, Measuring, measure_answers, measuring_of
from ridgeline.evaluation.selection import Loss, select
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.lightning.answers import answers, validation_of
from ridgeline.search.ranking import best_settings, outcome, ran
from ridgeline.search.records import WEIGHTS
from ridgeline.stack.ensemble import FittedEnsemble, averaged
from ridgeline.stack.prediction import logits_KNC, validation_logits
from ridgeline.stack.workers import Workers

Trained = tuple[Candidate, Mapping[str, Tensor]]
"""A network that may be in an ensemble, and its weights."""

log = logging.getLogger(__name__)

NONE_KEPT = (
    "`the weights of a trial are kept` must hold for an ensemble, but got none: the job folders' files were deleted, or"
    " the study was made with tracking.keep_members=0."
)

NAMED = 5
"""Trials of which a line tells the numbers."""

LOSS_IN_WORDS: Mapping[Loss, str] = {
    "log": "log loss",
    "squared": "mean squared error",
    "absolute": "mean absolute error",
}


@dataclass(frozen=True)
class Chosen:
    """Members of an ensemble and their shares in it, which add up to 1. `loss` and `alone`: of the ensemble and of the
    best candidate on the validation examples that have selected it, out of so many `candidates`."""

    members: list[Candidate]
    shares: list[float]
    loss: float
    alone: float
    by: str
    candidates: int


@dataclass(frozen=True)
class Averaged:
    """One ensemble for each of S seeds: the mean of its members' arms, each with seeds of its own. `failed`: in words,
    why a member that was chosen is not in it."""

    chosen: Chosen
    arms: list[Arm]
    shares: list[float]
    failed: list[str]


def check_ensemble(stored: StoredStudy, measuring: Measuring) -> None:
    """Raise ConfigError where what networks give cannot be averaged, or where none is kept."""
    rule = "what the model gives is a prediction of each example, where networks are averaged,"
    require(not measuring.by_seeds, rule, "confirm.ensemble", True)
    best = [setting.trial.number for setting in best_settings(ran(stored.study), stored.study.direction)[:MOST]]
    gone = [number for number in best if not (stored.job(number) / WEIGHTS).exists()]
    if len(gone) == len(best):
        raise ConfigError(NONE_KEPT)
    if gone:
        which = ", ".join(map(str, gone[:NAMED])) + (", ..." if len(gone) > NAMED else "")
        log.warning(f"The weights of {len(gone)} of the {len(best)} best trials are not kept: no candidates ({which}).")


def kept_of_study(stored: StoredStudy, config: Config) -> Iterable[Trained]:
    """The best trials whose weights are kept, the best first, as far as they see the data as `config` does."""
    for setting in best_settings(ran(stored.study), stored.study.direction)[:MOST]:
        trial = setting.trial
        path = stored.job(trial.number) / WEIGHTS
        if not path.exists():
            continue
        own = alone(stored.config_of(trial.number))
        if own.data == config.data:
            epoch = outcome(trial)["best_epoch"]
            candidate = Candidate(own, trial.number, dict(setting.params), setting.value, best_epoch=epoch)
            yield candidate, load_file(path)


def choose(trained: Iterable[Trained], measuring: Measuring) -> Chosen | None:
    """The ensemble of the least loss on validation examples; None where nothing is to choose from.

    `trained`: of data that all see alike. Of each the predictions of the true classes alone are held.
    """
    candidates, told, data, targets_N = list[Candidate](), list[np.ndarray](), None, None
    for candidate, weights in trained:
        with drawing_with(0):
            if data is None and candidate.config.model is not None:
                data = validation_of(candidate.config)
            predictions_NC, own_N = predicted(candidate.config, weights, data, measuring)
        targets_N = own_N if targets_N is None else targets_N
        rule = "validation examples come in the same order each time"
        require(np.array_equal(own_N, targets_N), rule, "data", candidate.config.data.title)
        is_number = measuring.task == "regression"
        told.append(predictions_NC[:, 0] if is_number else predictions_NC[np.arange(len(own_N)), own_N])
        candidates.append(candidate)
    if targets_N is None:
        return None
    loss: Loss = "log" if measuring.task == "classification" else "absolute" if measuring.figure == "mae" else "squared"
    found = select(np.stack(told), targets_N, loss, _weights(candidates[0].config))
    order_M = sorted(np.flatnonzero(found.counts_M).tolist(), key=lambda m: (-found.counts_M[m], m))
    shares = [float(found.shares_M[m]) for m in order_M]
    members = [candidates[m] for m in order_M]
    return Chosen(members, shares, found.loss, found.alone, LOSS_IN_WORDS[loss], len(candidates))


def predicted(
    config: Config, weights: Mapping[str, Tensor], data: Any, measuring: Measuring
) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities (N, C) of the classes, or numbers (N, 1) in their own unit, of the examples that validate, and
    the targets; of a trial with folds each fold tells of the examples that it did not train on.

    `data`: those examples as a module of the user's own takes them.
    """
    if config.model is not None:
        assert measuring.answer is not None
        measured, targets_N = measure_answers(config, [answers(config, weights, data, measuring.answer)], measuring)
        return measured.predictions_SNC[0], targets_N
    splits, folds = load_splits(config.data), validation_logits(config, weights)
    targets = _of_folds(splits.validation, splits.validation.y_N)
    if measuring.task == "classification":
        return np.concatenate([own_NC.softmax(dim=1).numpy() for own_NC in folds]), np.concatenate(targets)
    numbers = [s.undo_targets(own_NC.numpy()) for s, own_NC in zip(splits.scalers, folds, strict=True)]
    return np.concatenate(numbers), np.concatenate(
        [s.undo_targets(own_N) for s, own_N in zip(splits.scalers, targets, strict=True)]
    )


def _weights(config: Config) -> np.ndarray | None:
    """(N,) How much each validation example counts; None: all alike."""
    split = None if config.model is not None else load_splits(config.data).validation
    return None if split is None or split.w_N is None else np.concatenate(_of_folds(split, split.w_N))


def _of_folds(split: Split, values_N: Tensor) -> list[np.ndarray]:
    """The values of each fold's own examples, without those that fill up."""
    sizes = split.sizes or (split.n,)
    return [own_N[:size].numpy() for own_N, size in zip(values_N.split(split.n), sizes, strict=True)]


def of_own_weights(stored: StoredStudy) -> tuple[FittedEnsemble, Chosen]:
    """The ensemble of a study's trials as they were trained: nothing trains again, and the test split stays closed."""
    rule = "data.folds=null, where the trials' own networks are averaged (confirm.ensemble=true trains such anew),"
    require(stored.config.data.folds is None, rule, "data.folds", stored.config.data.folds)
    measuring = measuring_of(stored.config)
    best = stored.find_best()
    check_ensemble(stored, measuring)
    chosen = choose(kept_of_study(stored, stored.config_of(best.trial.number)), measuring)
    if chosen is None:
        raise ConfigError(NONE_KEPT)
    made = [fitted_of(c.config, load_file(stored.job(int(c.trial or 0)) / WEIGHTS)) for c in chosen.members]
    return FittedEnsemble.of([one[0] for one in made if one is not None], chosen.shares), chosen


def retrain_members(
    chosen: Mapping[str, Chosen],
    known: Mapping[str, Arm],
    first_seed: int,
    n_seeds: int,
    workers: Workers,
    progress: Callable[[], None],
) -> dict[str, Averaged]:
    """Retrain the members of each ensemble, as the two sides are; those that are one of the `known` arms are trained.

    Member i of an ensemble has seeds of its own, so that the ensembles of two seeds have no network in common and that
    no two members begin alike. One of which a fit fails is left out, and the shares of the others grow.
    """
    asked: list[tuple[str, int, Candidate, list[int]]] = []
    found: dict[tuple[str, int], Arm | str] = {}
    for side, own in chosen.items():
        for i, member in enumerate(own.members):
            arm = known[side]
            if i == 0 and member.config == arm.candidate.config:
                found[side, i] = arm  # with its own number of epochs, which more seeds have chosen
                continue
            first = first_seed + i * n_seeds
            asked.append((side, i, member, list(range(first, first + n_seeds))))
    outcomes = retrain_each([(member, seeds) for _, _, member, seeds in asked], workers, progress)
    found |= {(side, i): outcome_ for (side, i, _, _), outcome_ in zip(asked, outcomes, strict=True)}
    sides = {side: _averaged(own, [found[side, i] for i in range(len(own.members))]) for side, own in chosen.items()}
    if not sides[BEST].arms:
        raise FitsFailed(f"All members of the ensemble fail when they are retrained: {sides[BEST].failed[0]}")
    return {side: own for side, own in sides.items() if own.arms}


def _averaged(chosen: Chosen, outcomes: Sequence[Arm | str]) -> Averaged:
    pairs = [(arm, share) for arm, share in zip(outcomes, chosen.shares, strict=True) if isinstance(arm, Arm)]
    total = sum(share for _, share in pairs)
    failed = [reason for reason in outcomes if isinstance(reason, str)]
    return Averaged(chosen, [arm for arm, _ in pairs], [share / total for _, share in pairs], failed)


def measure_average(own: Averaged, like: Config, test: Any, measuring: Measuring) -> Measured:
    """What the ensembles predict for the examples of a split, or of a module's data. `like`: whose loss is measured."""
    if like.model is None:
        outputs = [logits_KNC(arm.config, [fit.weights for fit in arm.fits], test.x_NI) for arm in own.arms]
        return measured_by(like, averaged(outputs, own.shares, measuring.task), test, measuring.figure)
    assert measuring.answer is not None
    found = []
    for seed in range(len(own.arms[0].fits)):
        each = [answers(arm.config, arm.fits[seed].weights, test, measuring.answer) for arm in own.arms]
        outputs_NC = averaged([one.outputs_NC for one in each], own.shares, measuring.task)
        found.append(replace(each[0], outputs_NC=outputs_NC))
    return measure_answers(like, found, measuring)[0]
