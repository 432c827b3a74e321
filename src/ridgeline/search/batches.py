"""A study whose trials differ in more than knobs proceeds in batches: each is asked for as a whole, and trains as a
stream for each structure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from ridgeline.config import Config, parse
from ridgeline.config.batchable import structure
from ridgeline.search.open_trials import OpenTrials
from ridgeline.search.pruning import Pruning
from ridgeline.search.ranking import is_interrupted
from ridgeline.stack.source import Fit

if TYPE_CHECKING:
    from ridgeline.search.loop import Loop

BATCH = "batch"
"""User attribute of a trial: the number of its batch."""


class Group(OpenTrials):
    """The source of trials of one structure."""

    def __init__(self, loop: Loop, pruning: Pruning | None, trials: Iterable[FrozenTrial]) -> None:
        super().__init__(loop, pruning)
        self.trials = iter(trials)

    def next(self, slot: int, tick: int) -> Fit | None:
        self.loop.check_failures()
        trial = next(self.trials, None)
        return None if trial is None else self.open(trial, tick)


def groups(loop: Loop, size: int) -> Iterator[tuple[Config, list[FrozenTrial]]]:
    """Of one batch of `size` after the other: trials that can share a stack, and the structure that they have."""
    while batch := _next_batch(loop, size):
        by_structure: dict[Config, list[FrozenTrial]] = {}
        for trial in batch:
            config = parse(loop.plan.trees.of(trial.params).tree)
            by_structure.setdefault(structure(config), []).append(trial)
        yield from by_structure.items()


def _next_batch(loop: Loop, size: int) -> Sequence[FrozenTrial]:
    """The trials to train next, all of them RUNNING.

    Which batch a trial belongs to follows from its place among those that count. So a batch that a killed process left
    half asked is completed before any of it trains, and of one that it left half trained, the rest trains anew.
    """
    loop.check_failures()
    counted = [t for t in loop.study.get_trials(deepcopy=False) if not is_interrupted(t)]
    running = [place for place, t in enumerate(counted) if t.state == TrialState.RUNNING]
    number = (running[0] if running else len(counted)) // size
    end = 0 if loop.exhausted else min((number + 1) * size, loop.plan.n_trials)
    for _ in range(len(counted), end):
        loop.ask().set_user_attr(BATCH, number)
    return loop.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
