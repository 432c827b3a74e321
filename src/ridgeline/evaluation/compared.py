"""The networks that a page compares: baseline, best, over-regularized. `missing` gets a sentence for what is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from ridgeline.evaluation.arms import SMALL
from ridgeline.evaluation.confirm_folder import read_curves, read_weights, weights_of
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.report.facts import Confirmed, Curves, Weights
from ridgeline.report.notation import settings
from ridgeline.search.conditions import values_of
from ridgeline.search.ranking import REPEATED, best_settings, outcome, ran
from ridgeline.search.records import WEIGHTS
from ridgeline.trial.run import HISTORY, read_history

WHY_NO_CURVE = {
    "baseline": "The study has not tried the baseline; confirming trains it.",
    "best": "The best trial has left no curve.",
    "over-regularized": "No trial with a curve is like the best but for more regularization.",
}
NOT_KEPT = "The study has not kept the weights of its best trial (tracking.keep_weights)."
FACTOR = 4
"""Two learning rates within this factor of each other are taken for alike."""

LOOKED_AT = 10
"""How many trials at most have their configuration read in the search for one without regularization."""


def curves_of(stored: StoredStudy, confirmed: Confirmed | None, missing: dict[str, str]) -> dict[str, Curves]:
    """The learning curves of the three networks, as far as there are any."""
    found: dict[str, Curves] = {}
    complete = [setting.trial for setting in best_settings(ran(stored.study), stored.study.direction)]
    best: Mapping[str, Any] = values_of(complete[0].params) if complete else {}
    if confirmed is not None:
        best = confirmed.record["arms"]["best"]["params"]
        for name, histories in read_curves(stored.folder).items():
            params = confirmed.record["arms"][name]["params"]
            found[name] = Curves(f"{settings(params)}, {len(histories)} seeds", histories)
    elif complete:
        baseline = _baseline(stored, complete)
        for name, trial in (("baseline", baseline), ("best", complete[0])):
            found |= _curve_of(stored, name, trial)
    found |= _curve_of(stored, "over-regularized", _over_regularized(stored, complete, best))
    absent = [name for name in ("baseline", "best", "over-regularized") if name not in found]
    if absent:
        missing["curves"] = " ".join(WHY_NO_CURVE[name] for name in absent)
    return {name: found[name] for name in ("baseline", "best", "over-regularized") if name in found}


def weights_by_name(stored: StoredStudy, confirmed: Confirmed | None, missing: dict[str, str]) -> dict[str, Weights]:
    """The weights of the baseline and the best network; before confirming, of the best alone."""
    if confirmed is not None:
        arms = confirmed.record["arms"]
        return {
            name: _measured(read_weights(weights_of(stored.folder, name)), arms[name]) for name in ("baseline", "best")
        }
    best = kept_of_best(stored)
    if best is None:
        missing["weights"] = NOT_KEPT
        return {}
    missing["weights"] = "Those of the baseline come with confirming."
    values_W = read_weights(stored.job(best.number) / WEIGHTS)
    size_W = np.abs(values_W.astype(np.float64))
    zero, small = (float(part.mean()) for part in (size_W == 0, size_W < SMALL))
    return {"best": Weights(values_W, 1, zero, small, float(np.sqrt((size_W**2).sum())))}


def kept_of_best(stored: StoredStudy) -> FrozenTrial | None:
    """A trial of the best setting whose weights are stored: if possible the one nearest to the mean of its seeds."""
    best = best_settings(ran(stored.study), stored.study.direction)
    able = [best[0].trial, *best[0].trials] if best else []
    return next((trial for trial in able if _is_there(stored, trial, WEIGHTS)), None)


def _measured(values_W: np.ndarray, arm: Mapping[str, Any]) -> Weights:
    """The weights of one fit, with the numbers that confirming has measured over all seeds."""
    sparsity = arm["sparsity"]
    return Weights(values_W, len(arm["seeds"]), sparsity["weights"], sparsity["small"], arm["weight_norm"])


def _baseline(stored: StoredStudy, complete: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The best trial without any regularization, if one was tried."""
    able = (t for t in complete if all(not v or v == "none" for k, v in values_of(t.params).items() if _regularizes(k)))
    for _, trial in zip(range(LOOKED_AT), able, strict=False):
        is_there = _is_there(stored, trial, ".hydra/config.yaml")
        if is_there and stored.config_of(trial.number).regularization.is_off:
            return trial
    return None


def _regularizes(key: str) -> bool:
    """Whether it is a strength of that group, or what chooses the group's file."""
    return key.startswith("regulariz")


def _over_regularized(
    stored: StoredStudy, complete: Sequence[FrozenTrial], best: Mapping[str, Any]
) -> FrozenTrial | None:
    """Of the trials that have no strength below the best one's and some above it, the one with the largest train loss.

    All else that was searched must be as in the best trial, numbers within `FACTOR`: a trial with too high a learning
    rate is not an example of too much regularization.
    """
    keys = [d.key for d in stored.line.space if d.key in best]
    of_each = [(trial, values_of(trial.params)) for trial in complete]
    strengths = [
        key
        for key in keys
        if key.startswith("regularization.") and all(isinstance(v.get(key), (int, float)) for _, v in of_each)
    ]
    others = [key for key in keys if key not in strengths and key not in REPEATED]
    able = []
    for trial, values in of_each:
        if not all(_is_near(values.get(key), best[key]) for key in others):
            continue
        more = [values[key] - best[key] for key in strengths]
        loss = outcome(trial).get("metrics", {}).get("final/train_loss")
        if loss is not None and any(more) and min(more) >= 0:
            able.append((loss, trial.number, trial))
    return max(able)[2] if able else None


def _is_near(value: Any, other: Any) -> bool:
    """Whether two values are equal, or are numbers within `FACTOR` of each other."""
    if value == other or not all(isinstance(one, (int, float)) for one in (value, other)):
        return bool(value == other)
    return value * other > 0 and 1 / FACTOR <= value / other <= FACTOR


def _curve_of(stored: StoredStudy, name: str, trial: FrozenTrial | None) -> dict[str, Curves]:
    if trial is None or not _is_there(stored, trial, HISTORY):
        return {}
    history = read_history(stored.job(trial.number) / HISTORY)
    return {name: Curves(f"{settings(values_of(trial.params))}, trial {trial.number}", [history])}


def _is_there(stored: StoredStudy, trial: FrozenTrial, file: str) -> bool:
    return (stored.job(trial.number) / file).exists()
