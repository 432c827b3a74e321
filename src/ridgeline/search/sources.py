"""Where the slots of a stream get their trials from: from the sampler one by one, or from a batch of one structure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import BaseTrial, FrozenTrial, TrialState

from ridgeline.config import Config, parse
from ridgeline.config.batchable import structure
from ridgeline.data import describe
from ridgeline.search.ask_tell import AskTell
from ridgeline.search.endings import ATTRIBUTES, Ending
from ridgeline.search.job_folder import JobFolders, job_folder
from ridgeline.search.pruning import PLACE, Pruning
from ridgeline.search.ranking import outcome
from ridgeline.search.records import how_it_ended
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.source import Fit, Pruned
from ridgeline.trial.run import HISTORY, epoch_metrics, keep_fit, outcome_of, write_history

BATCH = "batch"
"""User attribute of a trial: the number of its batch."""


class OpenTrials:
    """Trials that train in a stream, each with its configuration, job folder and MLflow run: what every source does."""

    def __init__(self, trials: AskTell, folders: JobFolders, pruning: Pruning | None) -> None:
        self.trials, self.folders, self.pruning = trials, folders, pruning
        self.runs = trials.records.trials
        self.curves: dict[int, list[Row]] = {}

    def open(self, trial: BaseTrial, tick: int) -> Fit:
        """Begin a trial: make its job folder and its run. The fit of it, which starts at this tick."""
        plan, records = self.trials.plan, self.trials.records
        records.tracker.keep_pace()
        composed = plan.trees.of(trial.params)
        tree = composed.tree
        tree["trial"] = {"study": plan.name, "number": trial.number, "parent_run": records.run.id}
        config = parse(tree)
        folder = self.folders.write(trial.number, composed, plan.line.overrides(trial.params))
        self.runs[trial.number] = records.tracker.start_trial(config, describe(config.data), folder)
        return Fit(trial.number, config, tick)

    def epoch(self, fit: Fit, row: Row) -> bool:
        """Take in the row of an epoch; whether the trial is to be pruned after it."""
        self.trials.deadline.check()
        self.runs[fit.number].log_epoch(*epoch_metrics(row))
        self.curves.setdefault(fit.number, []).append(row)
        value = row.get(self.trials.plan.config.metric, math.nan)  # a module of the user's logs it when it likes
        if self.pruning is None or not math.isfinite(value):
            return False
        return self.pruning.prunes(fit.number, fit.epochs, value, (fit.start + fit.epochs, fit.slot))

    def ended(self, fit: Fit) -> None:
        """Keep what came of a fit, and tell the study how its trial ended."""
        run, folder = self.runs.pop(fit.number), self.trials.folder / job_folder(fit.number)
        curve = self.curves.pop(fit.number, [])
        attributes: dict[str, Any] = {"run_id": run.id, "epochs": fit.epochs}
        if isinstance(fit.outcome, FitResult):
            keep_fit(fit.outcome, run, folder)
            found: Mapping[str, Any] = outcome_of(fit.outcome, run, folder)
            reason = f"TrialFailed: {fit.outcome.failure}" if fit.outcome.failure else None
            value = None if reason else fit.outcome.value
            ending = Ending(value, reason, {name: found[name] for name in ATTRIBUTES})
        elif isinstance(fit.outcome, Pruned):
            write_history(folder / HISTORY, curve)
            ending = Ending(None, None, attributes)
        else:
            ending = Ending(None, str(fit.outcome), attributes)
        asked = self.trials.trial(fit.number)
        told = self.trials.tell(asked, ending, self._reported(curve))
        # Afterwards: a run without its end is completed by the next start, a second one of a trial would stay.
        run.finish(*how_it_ended(told), wait=False)
        if self.pruning is not None:
            self.pruning.ended(told, (fit.start + fit.epochs, fit.slot))

    def _reported(self, curve: Sequence[Row]) -> dict[int, float]:
        """The metric after so many epochs, which Optuna stores where a study has a pruner."""
        if self.pruning is None:
            return {}
        metric = self.trials.plan.config.metric
        values = {n: row.get(metric, math.nan) for n, row in enumerate(curve, start=1)}
        return {n: value for n, value in values.items() if math.isfinite(value)}


class Flow(OpenTrials):
    """The source of a study whose trials can all share a stack.

    Each trial is asked for when a slot is free, knowing all that ended before.
    """

    def next(self, slot: int, tick: int) -> Fit | None:
        """The fit of a new trial; None when the study has all of its trials."""
        self.trials.check_failures()
        self.trials.deadline.check()
        if self.trials.exhausted or self.trials.tally.asked >= self.trials.plan.n_trials:
            return None
        trial = self.trials.ask()
        trial.set_user_attr(PLACE, [slot, tick])
        return self.open(trial, tick)

    def places(self, n_slots: int) -> tuple[dict[int, Fit], dict[int, int]]:
        """Where an earlier process left off: trials to train anew by slot, and since which tick the others are free."""
        running: dict[int, Fit] = {}
        free = dict.fromkeys(range(n_slots), 0)
        for trial in self.trials.counted():
            if PLACE not in trial.user_attrs:
                continue
            slot, tick = trial.user_attrs[PLACE]
            if trial.state == TrialState.RUNNING:
                running[slot] = self.open(trial, tick)
                del free[slot]
            elif slot in free:
                free[slot] = max(free[slot], tick + int(outcome(trial).get("epochs", 0)))
        return running, free


class Group(OpenTrials):
    """The source of the trials of a batch that have one structure."""

    def __init__(
        self, trials: AskTell, folders: JobFolders, pruning: Pruning | None, batch: Iterable[FrozenTrial]
    ) -> None:
        super().__init__(trials, folders, pruning)
        self.batch = iter(batch)

    def next(self, slot: int, tick: int) -> Fit | None:
        """The fit of the next trial of the group; None when all have begun."""
        self.trials.check_failures()
        self.trials.deadline.check()
        trial = next(self.batch, None)
        return None if trial is None else self.open(trial, tick)


def groups(trials: AskTell, size: int) -> Iterator[tuple[Config, list[FrozenTrial]]]:
    """Of one batch of `size` after the other: trials that can share a stack, and the structure that they have."""
    while batch := _next_batch(trials, size):
        by_structure: dict[Config, list[FrozenTrial]] = {}
        for trial in batch:
            config = parse(trials.plan.trees.of(trial.params).tree)
            by_structure.setdefault(structure(config), []).append(trial)
        yield from by_structure.items()


def _next_batch(trials: AskTell, size: int) -> Sequence[FrozenTrial]:
    """The trials to train next, all of them RUNNING.

    Which batch a trial belongs to follows from its place among those that count. So a batch that a killed process left
    half asked is completed before any of it trains, and of one that it left half trained, the rest trains anew.
    """
    trials.check_failures()
    counted = trials.counted()
    running = [place for place, t in enumerate(counted) if t.state == TrialState.RUNNING]
    number = (running[0] if running else len(counted)) // size
    end = 0 if trials.exhausted else min((number + 1) * size, trials.plan.n_trials)
    for _ in range(len(counted), end):
        trials.ask().set_user_attr(BATCH, number)
    return trials.running()
