"""Trials that train in a stream: each with its configuration, its job folder and its MLflow run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.trial import BaseTrial

from ridgeline.config import parse
from ridgeline.data import describe
from ridgeline.search.folder import job_folder
from ridgeline.search.job import ATTRIBUTES, Ending
from ridgeline.search.job_folder import JobFolders
from ridgeline.search.leftovers import how_it_ended
from ridgeline.search.pruning import Pruning
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.source import Fit, Pruned
from ridgeline.trial.run import epoch_metrics, keep, outcome_of, write_history

if TYPE_CHECKING:
    from ridgeline.search.loop import Loop


class OpenTrials:
    """What a source does with its trials, wherever they come from."""

    def __init__(self, loop: Loop, pruning: Pruning | None) -> None:
        self.loop, self.plan, self.study, self.pruning = loop, loop.plan, loop.study, pruning
        self.folders = JobFolders(loop.launcher.master, loop.folder)
        self.runs = loop.records.trials
        self.curves: dict[int, list[Row]] = {}

    def open(self, trial: BaseTrial, tick: int) -> Fit:
        """The fit of a trial that begins; its folder and run are there from now on."""
        self.loop.records.tracker.keep_pace()
        composed = self.plan.trees.of(trial.params)
        tree = composed.tree
        tree["trial"] = {"study": self.plan.name, "number": trial.number, "parent_run": self.loop.records.run.id}
        config = parse(tree)
        folder = self.folders.write(trial.number, composed, self.plan.line.overrides(trial.params))
        self.runs[trial.number] = self.loop.records.tracker.start_trial(config, describe(config.data), folder)
        return Fit(trial.number, config, tick)

    def epoch(self, fit: Fit, row: Row) -> bool:
        self.runs[fit.number].log_epoch(*epoch_metrics(row))
        self.curves.setdefault(fit.number, []).append(row)
        value = row[self.plan.config.metric]
        if self.pruning is None or not math.isfinite(value):
            return False
        return self.pruning.prunes(fit.number, fit.epochs, value, (fit.start + fit.epochs, fit.slot))

    def ended(self, fit: Fit) -> None:
        run, folder = self.runs.pop(fit.number), self.loop.folder / job_folder(fit.number)
        curve = self.curves.pop(fit.number, [])
        attributes: dict[str, Any] = {"run_id": run.id, "epochs": fit.epochs}
        if isinstance(fit.outcome, FitResult):
            keep(fit.outcome, run, folder)
            outcome: Mapping[str, Any] = outcome_of(fit.outcome, run, folder)
            reason = f"TrialFailed: {fit.outcome.failure}" if fit.outcome.failure else None
            value = None if reason else fit.outcome.value
            ending = Ending(value, reason, {name: outcome[name] for name in ATTRIBUTES})
        elif isinstance(fit.outcome, Pruned):
            write_history(folder / "history.csv", curve)
            ending = Ending(None, None, attributes)
        else:
            ending = Ending(None, str(fit.outcome), attributes)
        told = self.loop.tell(self.study.get_trials(deepcopy=False)[fit.number], ending, self._reported(curve))
        # Afterwards: a run without its end is completed by the next start, a second one of a trial would stay.
        run.finish(*how_it_ended(told), wait=False)
        if self.pruning is not None:
            self.pruning.ended(told, (fit.start + fit.epochs, fit.slot))

    def _reported(self, curve: Sequence[Row]) -> dict[int, float]:
        """The metric after so many epochs, for whoever prunes."""
        if self.pruning is None:
            return {}
        values = {n: row[self.plan.config.metric] for n, row in enumerate(curve, start=1)}
        return {n: value for n, value in values.items() if math.isfinite(value)}
