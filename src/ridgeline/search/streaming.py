"""A study's trials as a stream: asked when a slot is free, told in the order of the logical clock, each with its job
folder and its MLflow run."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from optuna.trial import FrozenTrial, TrialState

from ridgeline.config import parse
from ridgeline.search.folder import job_folder
from ridgeline.search.job import ATTRIBUTES, Ending
from ridgeline.search.job_folder import JobFolders
from ridgeline.search.launching import StackSettings
from ridgeline.search.plan import Plan
from ridgeline.search.ranking import is_interrupted, outcome
from ridgeline.search.validation import tree_with
from ridgeline.stack import FitResult, Row, pick_device
from ridgeline.stack.pool import Pool
from ridgeline.stack.sizing import fitting_stack_size
from ridgeline.stack.stream import Fit, Stream
from ridgeline.tracking import Run
from ridgeline.trials import epoch_metrics, keep, outcome_of

if TYPE_CHECKING:
    from ridgeline.search.loop import Loop

log = logging.getLogger(__name__)

PLACE, SLOTS = "place", "slots"
"""User attributes: of a trial its slot and its first tick on the logical clock; of a study its workers and slots."""


class Streaming:
    """The source that a study's stream draws on."""

    def __init__(self, loop: Loop, settings: StackSettings | None) -> None:
        self.loop, self.plan, self.study = loop, loop.plan, loop.study
        self.settings = settings or StackSettings()
        self.folders = JobFolders(loop.launcher.master, loop.folder)
        self.runs: dict[int, Run] = {}

    def run(self) -> None:
        """Until the study has its trials."""
        workers, size = self._slots()
        running, free = self._places(workers * size)
        log.debug(f"{workers} workers with {size} slots each")
        with Pool(workers) as pool:
            Stream(pool, self).run(running, free)

    def takes_up(self, trial: FrozenTrial) -> bool:
        """Whether a trial that a killed process left RUNNING has a slot to go on in."""
        return PLACE in trial.user_attrs

    def next(self, slot: int, tick: int) -> Fit | None:
        self.loop.check_failures()
        counted = [t for t in self.study.get_trials(deepcopy=False) if not is_interrupted(t)]
        if self.loop.exhausted or len(counted) >= self.plan.n_trials:
            return None
        trial = self.loop.ask()
        trial.set_user_attr(PLACE, [slot, tick])
        return self._open(trial.number, trial.params, tick)

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

    def _open(self, number: int, params: dict[str, object], tick: int) -> Fit:
        tree = tree_with(self.plan.tree, self.plan.line.space, params)
        tree["trial"] = {"study": self.plan.name, "number": number, "parent_run": self.loop.records.run.id}
        config = parse(tree)
        folder = self.folders.write(number, tree, self.plan.line.overrides(params))
        self.runs[number] = self.loop.records.tracker.start_trial(config, self.plan.data, folder)
        return Fit(number, config, tick)

    def _slots(self) -> tuple[int, int]:
        """Workers and slots of each: those that the study began with, for its order depends on them."""
        stored = self.study.user_attrs.get(SLOTS)
        if stored is None:
            stored = _choose_slots(self.plan, self.settings)
            self.study.set_user_attr(SLOTS, stored)
        return stored[0], stored[1]

    def _places(self, n_slots: int) -> tuple[dict[int, Fit], dict[int, int]]:
        """Where an earlier process left off: trials to train anew by slot, and since which tick the others are free."""
        running: dict[int, Fit] = {}
        free = dict.fromkeys(range(n_slots), 0)
        for trial in self.study.get_trials(deepcopy=False):
            if PLACE not in trial.user_attrs or is_interrupted(trial):
                continue
            slot, tick = trial.user_attrs[PLACE]
            if trial.state == TrialState.RUNNING:
                running[slot] = self._open(trial.number, trial.params, tick)
                del free[slot]
            elif slot in free:
                free[slot] = max(free[slot], tick + int(outcome(trial).get("epochs", 0)))
        return running, free


def _choose_slots(plan: Plan, settings: StackSettings) -> tuple[int, int]:
    """A search has a quarter of its trials in flight at most: those asked at once cannot learn from each other."""
    config, n_trials = plan.config, plan.n_trials
    on_gpu = pick_device(config).type == "cuda"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(settings.workers or (torch.cuda.device_count() if on_gpu else cores), n_trials)
    at_once = n_trials if plan.grid is not None else max(n_trials // 4, workers)
    size = settings.stack_size or min(fitting_stack_size(config), -(-at_once // workers))
    return workers, size
