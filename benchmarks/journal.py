"""What a finished study's Optuna journal and MLflow store tell about its times."""

from __future__ import annotations

import sqlite3
import statistics
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState


@dataclass(frozen=True)
class Journal:
    """`start` of the first trial, `first_epoch` logged by any, `end` of the last trial: seconds since 1970.

    `epochs`: of a trial, on average. `workers`: None for a study without any; `idle`: seconds
    that they waited for trials, all together.
    """

    trials: int
    start: float
    first_epoch: float
    end: float
    epochs: float
    best: float
    space: dict[str, BaseDistribution]
    workers: int | None
    idle: float


def read_journal(folder: Path) -> Journal:
    """Of the one study below a folder. Raises ValueError if a trial is not complete."""
    (path,) = folder.rglob("journal.log")
    storage = JournalStorage(JournalFileBackend(str(path)))
    (study,) = storage.get_all_studies()
    trials = storage.get_all_trials(study._study_id)
    times, values = [], []
    for trial in trials:
        if trial.datetime_start is None or trial.datetime_complete is None or trial.state != TrialState.COMPLETE:
            raise ValueError(f"Trial {trial.number} is {trial.state.name}: not the work that is to be timed.")
        times.append((trial.datetime_start.timestamp(), trial.datetime_complete.timestamp()))
        values.append(trial.values[0])
    slots = study.user_attrs.get("slots")
    return Journal(
        trials=len(trials),
        start=min(start for start, _ in times),
        first_epoch=_first_epoch(folder / "mlflow.db"),
        end=max(end for _, end in times),
        epochs=statistics.mean(trial.user_attrs["outcome"]["epochs"] for trial in trials),
        best=min(values),
        space=trials[0].distributions,
        workers=slots[0] if slots else None,
        idle=study.user_attrs.get("idle_seconds", 0.0),
    )


def _first_epoch(store: Path) -> float:
    with closing(sqlite3.connect(store)) as connection:
        (milliseconds,) = connection.execute("SELECT min(timestamp) FROM metrics").fetchone()
    return float(milliseconds) / 1e3
