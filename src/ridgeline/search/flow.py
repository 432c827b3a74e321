"""A study whose trials can all share a stack: each is asked for when a slot is free, knowing all that ended before."""

from __future__ import annotations

from optuna.trial import TrialState

from ridgeline.search.open_trials import OpenTrials
from ridgeline.search.pruning import PLACE
from ridgeline.search.ranking import is_interrupted, outcome
from ridgeline.stack.source import Fit


class Flow(OpenTrials):
    """The source that asks."""

    def next(self, slot: int, tick: int) -> Fit | None:
        self.loop.check_failures()
        counted = [t for t in self.study.get_trials(deepcopy=False) if not is_interrupted(t)]
        if self.loop.exhausted or len(counted) >= self.plan.n_trials:
            return None
        trial = self.loop.ask()
        trial.set_user_attr(PLACE, [slot, tick])
        return self.open(trial, tick)

    def places(self, n_slots: int) -> tuple[dict[int, Fit], dict[int, int]]:
        """Where an earlier process left off: trials to train anew by slot, and since which tick the others are free."""
        running: dict[int, Fit] = {}
        free = dict.fromkeys(range(n_slots), 0)
        for trial in self.study.get_trials(deepcopy=False):
            if PLACE not in trial.user_attrs or is_interrupted(trial):
                continue
            slot, tick = trial.user_attrs[PLACE]
            if trial.state == TrialState.RUNNING:
                running[slot] = self.open(trial, tick)
                del free[slot]
            elif slot in free:
                free[slot] = max(free[slot], tick + int(outcome(trial).get("epochs", 0)))
        return running, free
