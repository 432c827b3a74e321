"""A study's trials train in the slots of worker processes, in each of which a stack trains several as one."""

from __future__ import annotations

import logging

from omegaconf import DictConfig
from optuna.trial import FrozenTrial
from tqdm.contrib.logging import logging_redirect_tqdm

from ridgeline.config import Config
from ridgeline.search.ask_tell import AskTell
from ridgeline.search.job_folder import JobFolders
from ridgeline.search.launching import SLOTS, StackSettings
from ridgeline.search.plan import Plan
from ridgeline.search.pruning import PLACE, Pruning, make_pruner
from ridgeline.search.sources import BATCH, Flow, Group, groups
from ridgeline.stack.device import pick_device
from ridgeline.stack.sizing import fitting_stack_size
from ridgeline.stack.stream import Stream
from ridgeline.stack.workers import Workers

log = logging.getLogger(__name__)

IDLE = "idle_seconds"
"""User attribute of a study: how long workers waited for trials, in all."""


class Streaming:
    """Trains the trials of a study in one stream. If they differ in more than batchable hyperparameters, in a stream
    for each structure of each batch."""

    def __init__(self, trials: AskTell, settings: StackSettings, master: DictConfig) -> None:
        self.trials, self.plan, self.settings = trials, trials.plan, settings
        self.folders = JobFolders(master, trials.folder)

    def takes_up(self, trial: FrozenTrial) -> bool:
        """Whether a trial that a killed process left RUNNING has a place to go on in."""
        return (BATCH if self.plan.structural else PLACE) in trial.user_attrs

    def run(self) -> None:
        """Train until the study has its trials."""
        workers, size = self._slots()
        log.debug(f"{workers} workers with {size} slots each")
        gpu = pick_device(self.plan.config).type == "cuda"
        start = self.settings.start(workers, self.plan.config, gpu=gpu)
        with start as pool, logging_redirect_tqdm():  # lines above the bar, not into it
            try:
                if self.plan.structural:
                    self._run_batches(pool, size)
                else:
                    self._run_flow(pool, size)
            except Exception:  # too many failures; a pruner, sampler or callback of the user
                self.trials.records.interrupt_trials("the study ended before the trial did")
                raise

    def _run_flow(self, pool: Workers, size: int) -> None:
        flow = Flow(self.trials, self.folders, self._pruning())
        stream = Stream(pool, flow)
        stream.run(*flow.places(len(pool) * size))
        self.trials.study.set_user_attr(IDLE, round(stream.idle, 3))

    def _run_batches(self, pool: Workers, size: int) -> None:
        batch = self.plan.n_trials if self.plan.grid is not None else len(pool) * size
        keys, each = ", ".join(self.plan.structural), "" if self.plan.grid is not None else f", {batch} trials a batch"
        log.info(f"Trials differ in {keys}, which no stack can mix: those of one structure train as stacks{each}.")
        pruning = self._pruning()
        for config, group in groups(self.trials, batch):
            size = _stack_size(config, self.settings, len(pool))
            n_slots = min(len(group), len(pool) * size)
            source = Group(self.trials, self.folders, pruning, group)
            Stream(pool, source).run({}, dict.fromkeys(range(n_slots), 0))

    def _pruning(self) -> Pruning | None:
        settings = self.plan.config.search.pruner
        return None if settings is None else Pruning(self.trials.study, make_pruner(settings))

    def _slots(self) -> tuple[int, int]:
        """How many workers, and how many slots each: as many as the study began with, for its order depends on them."""
        study = self.trials.study
        stored = study.user_attrs.get(SLOTS)
        if stored is None:
            stored = _choose_slots(self.plan, self.settings)
            study.set_user_attr(SLOTS, stored)
        return stored[0], stored[1]


def _choose_slots(plan: Plan, settings: StackSettings) -> tuple[int, int]:
    """How many workers a new study gets, and how many slots each of them.

    A search has a quarter of its trials in flight at most, for those that are asked at once cannot learn from each
    other. In batches it is an eighth, for the last of a batch knows no more than the first.
    """
    config, n_trials = plan.config, plan.n_trials
    gpu = pick_device(config).type == "cuda"
    workers = min(settings.count_workers(config, gpu=gpu), n_trials)
    at_once = n_trials if plan.grid is not None else max(n_trials // (8 if plan.structural else 4), workers)
    size = _stack_size(config, settings, workers)
    return workers, size if settings.stack_size else min(size, -(-at_once // workers))


def _stack_size(config: Config, settings: StackSettings, workers: int) -> int:
    """What the launcher was told, or what fits; a trial that trains alone is a stack of one whatever it was told."""
    asked = None if config.trains_alone else settings.stack_size
    return asked or fitting_stack_size(config, workers)
