"""What a process that was killed left of its trials' MLflow runs, which are written seconds after the trials end."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ridgeline.config.stored import read_stored
from ridgeline.data import describe
from ridgeline.search.folder import job_folder
from ridgeline.search.ranking import outcome
from ridgeline.tracking import State, Tracker
from ridgeline.trial.run import epoch_metrics

HISTORY = "history.csv"


def close_unfinished(
    tracker: Tracker, parent_run: str, study: Study, folder: Path, allowed: Sequence[str] = ()
) -> None:
    """Runs of trials that nobody trains: those of trials that ended say how, the others INTERRUPTED.

    `allowed`: `tracking.allowed_targets`.
    """
    trials = study.get_trials(deepcopy=False)
    for run_id, number in tracker.unfinished(parent_run).items():
        trial = trials[number] if 0 <= number < len(trials) else None
        if trial is not None and trial.state.is_finished() and outcome(trial).get("run_id") == run_id:
            _complete(tracker, trial, folder / job_folder(number), allowed)
        else:
            tracker.reopen(run_id).finish("INTERRUPTED", "the process ended before the trial did", wait=False)


def _complete(tracker: Tracker, trial: FrozenTrial, job: Path, allowed: Sequence[str]) -> None:
    """Write what the job's folder and Optuna know of the trial, and the run does not."""
    found, config = outcome(trial), read_stored(job / ".hydra" / "config.yaml", allowed)
    curve = dict(epoch_metrics(row) for row in read_history(job / HISTORY)) if (job / HISTORY).exists() else {}
    if trial.state == TrialState.COMPLETE:
        final = {**found.get("metrics", {}), "final/best_epoch": float(found["best_epoch"])}
        curve[0] = {**curve.get(0, {}), **final}
    tracker.complete(found["run_id"], config, describe(config.data), curve).finish(*how_it_ended(trial), wait=False)


def how_it_ended(trial: FrozenTrial) -> tuple[State, str | None]:
    """What the run of a trial that ended says: state and reason."""
    if trial.state == TrialState.PRUNED:
        return "PRUNED", f"after epoch {outcome(trial)['epochs']}"
    return ("COMPLETE" if trial.state == TrialState.COMPLETE else "FAILED"), outcome(trial).get("reason")


def read_history(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        rows: list[Mapping[str, Any]] = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if value != ""} for row in rows]
