"""Trials that train in a stream: each with its configuration, its job folder and its MLflow run."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.trial import BaseTrial

from ridgeline.config import DataConfig, parse
from ridgeline.data import DataDescription, load_splits
from ridgeline.search.folder import job_folder
from ridgeline.search.job import ATTRIBUTES, Ending
from ridgeline.search.job_folder import JobFolders
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.source import Fit
from ridgeline.tracking import Run
from ridgeline.trials import epoch_metrics, keep, outcome_of

if TYPE_CHECKING:
    from ridgeline.search.loop import Loop


class OpenTrials:
    """What a source does with its trials, wherever they come from."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.plan, self.study = loop, loop.plan, loop.study
        self.folders = JobFolders(loop.launcher.master, loop.folder)
        self.runs: dict[int, Run] = {}

    def open(self, trial: BaseTrial, tick: int) -> Fit:
        """The fit of a trial that begins; its folder and run are there from now on."""
        composed = self.plan.trees.of(trial.params)
        tree = composed.tree
        tree["trial"] = {"study": self.plan.name, "number": trial.number, "parent_run": self.loop.records.run.id}
        config = parse(tree)
        folder = self.folders.write(trial.number, composed, self.plan.line.overrides(trial.params))
        self.runs[trial.number] = self.loop.records.tracker.start_trial(config, describe(config.data), folder)
        return Fit(trial.number, config, tick)

    def epoch(self, fit: Fit, row: Row) -> None:
        self.runs[fit.number].log_epoch(*epoch_metrics(row))

    def ended(self, fit: Fit) -> None:
        run, folder = self.runs.pop(fit.number), self.loop.folder / job_folder(fit.number)
        if isinstance(fit.outcome, FitResult):
            keep(fit.outcome, run, folder)
            outcome: Mapping[str, Any] = outcome_of(fit.outcome, run, folder)
            reason = f"TrialFailed: {fit.outcome.failure}" if fit.outcome.failure else None
            value = None if reason else fit.outcome.value
            ending = Ending(value, reason, {name: outcome[name] for name in ATTRIBUTES})
        else:
            ending = Ending(None, str(fit.outcome), {"run_id": run.id, "epochs": fit.epochs})
        run.finish("FAILED" if ending.reason else "COMPLETE", ending.reason, wait=False)
        self.loop.tell(self.study.get_trials(deepcopy=False)[fit.number], ending)


@functools.cache
def describe(data: DataConfig) -> DataDescription:
    return load_splits(data).description
