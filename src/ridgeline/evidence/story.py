"""What is known of a study, gathered from where it lies: Optuna's storage, job folders, MLflow, what confirm stored."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from ridgeline.evidence.confirm_files import read_confirmed, read_curves, read_weights, weights_of
from ridgeline.evidence.making import how_made
from ridgeline.evidence.stored import StoredStudy
from ridgeline.report.facts import Axis, Confirmed, Curves, Story, Trial
from ridgeline.report.names import short_names
from ridgeline.report.words import settings
from ridgeline.search.leftovers import HISTORY, read_history
from ridgeline.search.ranking import best_first, outcome, ran, state_of
from ridgeline.search.records import WEIGHTS
from ridgeline.search.space import Dimension
from ridgeline.tracking import how_to_look, server_of

FEWEST_FOR_IMPORTANCE = 10
WHY_NO_CURVE = {
    "plain": "The study has not tried the plain network; confirming trains it.",
    "best": "The best trial has left no curve.",
    "over-regularized": "No trial with a curve has more regularization than the best.",
}
LOOKED_AT = 10
"""Trials that may be of the plain network whose configuration is read, to be sure."""


def gather(stored: StoredStudy, tags: Mapping[str, str]) -> Story:
    """`tags`: of the study's run in MLflow."""
    frozen = stored.study.get_trials(deepcopy=False)
    axes = _axes(stored.line.space)
    confirmed = read_confirmed(stored.folder)
    missing = dict[str, str]()
    curves = _curves(stored, confirmed, missing)
    weights = {name: read_weights(path) for name, path in _weight_files(stored, confirmed, missing).items()}
    return Story(
        name=stored.name,
        metric=stored.config.metric,
        axes=axes,
        trials=[_trial(t) for t in frozen],
        importance=_importance(stored, [axis.key for axis in axes]),
        curves=curves,
        weights=weights,
        confirmed=confirmed,
        confirm_command=shlex.join(["python", "pipelines/confirm.py", f"study={stored.name}"]),
        commands={t.number: stored.line.retrain(t.params) for t in frozen if t.state == TrialState.COMPLETE},
        server=server_of(stored.config),
        how_to_look=how_to_look(stored.config),
        made=how_made(stored, tags, confirmed.record if confirmed else None),
        missing=missing,
    )


def _axes(space: Sequence[Dimension]) -> list[Axis]:
    """Regularization first, the seed last, else as the user has them."""
    labels = short_names(d.key for d in space)
    axes = []
    for d in space:
        known = d.distribution
        if isinstance(known, CategoricalDistribution):
            numbers = all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in known.choices)
            axes.append(Axis(d.key, labels[d.key], choices=tuple(sorted(known.choices) if numbers else known.choices)))
        else:
            assert isinstance(known, (FloatDistribution, IntDistribution))
            axes.append(Axis(d.key, labels[d.key], is_log=known.log))
    return sorted(axes, key=lambda axis: (axis.key == "seed", not axis.key.startswith("regularization")))


def _trial(trial: FrozenTrial) -> Trial:
    found = outcome(trial)
    return Trial(
        number=trial.number,
        state=state_of(trial),
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        params=trial.params,
        metrics=found.get("metrics", {}),
        best_epoch=found.get("best_epoch"),
        epochs=found.get("epochs"),
        seconds=found.get("seconds"),
        run_id=found.get("run_id"),
    )


def _importance(stored: StoredStudy, keys: Sequence[str]) -> dict[str, float] | str:
    complete = best_first(ran(stored.study))
    varied = [key for key in keys if len({str(t.params.get(key)) for t in complete}) > 1]
    if len(complete) < FEWEST_FOR_IMPORTANCE:
        return f"It takes {FEWEST_FOR_IMPORTANCE} complete trials to tell what matters, and there are {len(complete)}."
    if len(varied) < 2 or len({t.value for t in complete}) < 3:
        return "It takes two dimensions that vary, and different results, to tell which of them matters."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return optuna.importance.get_param_importances(stored.study, params=varied)
    except (ValueError, RuntimeError) as error:
        return f"Optuna could not tell what matters: {error}"


def _curves(stored: StoredStudy, confirmed: Confirmed | None, missing: dict[str, str]) -> dict[str, Curves]:
    """Of plain, best and over-regularized, as far as there are any."""
    found: dict[str, Curves] = {}
    complete = best_first(ran(stored.study))
    best: Mapping[str, Any] = complete[0].params if complete else {}
    if confirmed is not None:
        best = confirmed.record["arms"]["best"]["params"]
        for name, histories in read_curves(stored.folder).items():
            params = confirmed.record["arms"][name]["params"]
            found[name] = Curves(f"{settings(params)}, {len(histories)} seeds", histories)
    elif complete:
        plain = _plain(stored, complete)
        for name, trial in (("plain", plain), ("best", complete[0])):
            found |= _curve_of(stored, name, trial)
    found |= _curve_of(stored, "over-regularized", _over_regularized(stored, complete, best))
    absent = [name for name in ("plain", "best", "over-regularized") if name not in found]
    if absent:
        missing["curves"] = " ".join(WHY_NO_CURVE[name] for name in absent)
    return {name: found[name] for name in ("plain", "best", "over-regularized") if name in found}


def _plain(stored: StoredStudy, complete: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The best trial without any regularization, if one was tried."""
    able = (t for t in complete if all(not v or v == "none" for k, v in t.params.items() if k.startswith("regulariz")))
    for _, trial in zip(range(LOOKED_AT), able, strict=False):
        if _is_there(stored, trial, ".hydra/config.yaml"):
            regularization = stored.config_of(trial.number).regularization
            rates = regularization.dropout_rates(1)
            if not any((regularization.l1, regularization.l2, regularization.input_dropout, *rates)):
                return trial
    return None


def _over_regularized(
    stored: StoredStudy, complete: Sequence[FrozenTrial], best: Mapping[str, Any]
) -> FrozenTrial | None:
    """Of the trials with no less of anything than the best and more of something, that with the largest train loss."""
    strengths = [
        d.key
        for d in stored.line.space
        if d.key.startswith("regularization.") and all(isinstance(t.params.get(d.key), (int, float)) for t in complete)
    ]
    able = []
    for trial in complete:
        more = [trial.params[key] - best[key] for key in strengths]
        loss = outcome(trial).get("metrics", {}).get("final/train_loss")
        if loss is not None and any(more) and min(more) >= 0:
            able.append((loss, trial.number, trial))
    return max(able)[2] if able else None


def _curve_of(stored: StoredStudy, name: str, trial: FrozenTrial | None) -> dict[str, Curves]:
    if trial is None or not _is_there(stored, trial, HISTORY):
        return {}
    history = read_history(stored.job(trial.number) / HISTORY)
    return {name: Curves(f"{settings(trial.params)}, trial {trial.number}", [history])}


def _weight_files(stored: StoredStudy, confirmed: Confirmed | None, missing: dict[str, str]) -> dict[str, Any]:
    if confirmed is not None:
        return {name: weights_of(stored.folder, name) for name in ("plain", "best")}
    complete = best_first(ran(stored.study))
    if not complete or not _is_there(stored, complete[0], WEIGHTS):
        missing["weights"] = "The study has not kept the weights of its best trial (tracking.keep_weights)."
        return {}
    missing["weights"] = "Those of the plain network come with confirming."
    return {"best": stored.job(complete[0].number) / WEIGHTS}


def _is_there(stored: StoredStudy, trial: FrozenTrial, file: str) -> bool:
    return (stored.job(trial.number) / file).exists()
