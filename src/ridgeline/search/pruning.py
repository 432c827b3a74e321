"""Which trials are not worth going on with: any pruner of Optuna, asked in the order of the logical clock.

The pruner sees a copy of the study in memory, to which every epoch is reported; the study's storage gets a trial's
curve when the trial ends, for a write an epoch would cost more than the epoch. A study that is taken up again reports
the curves of its finished trials anew, in the same order. Its running trials train anew; they survived until the last
trial ended, so up to that moment nobody asks whether they should.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from ridgeline.search.ranking import is_interrupted, outcome
from ridgeline.search.targets import make

PLACE = "place"
"""User attribute of a trial: its slot, and its first tick on the logical clock."""

Moment = tuple[int, int]
"""On the logical clock: tick, slot."""


class Pruning:
    """A study's pruner and what it has seen."""

    def __init__(self, study: Study, pruner: BasePruner) -> None:
        self._copy = optuna.create_study(
            study_name=study.study_name,
            direction=study.direction,
            pruner=pruner,
            sampler=optuna.samplers.RandomSampler(),
        )
        self._trials: list[Trial] = []
        # Of trials that a killed process left; the others have the numbers that they would have without.
        self._unused = [t.number for t in study.get_trials(deepcopy=False) if is_interrupted(t)]
        self._survived: Moment = (-1, -1)
        trials = study.get_trials(deepcopy=False)
        self._replay([t for t in trials if t.state.is_finished() and not is_interrupted(t)])

    def prunes(self, number: int, epochs: int, value: float, moment: Moment) -> bool:
        """Report the metric after so many epochs of a trial, and ask."""
        trial = self._trial(number)
        trial.report(value, epochs)
        return trial.should_prune() and moment > self._survived

    def ended(self, trial: FrozenTrial) -> None:
        """A trial that was told to the study."""
        value = trial.value if trial.state == TrialState.COMPLETE else None
        self._copy.tell(self._trial(trial.number), value, state=trial.state)

    def _trial(self, number: int) -> Trial:
        """Its like in the copy. Pruners choose by number too: Hyperband its brackets."""
        place = number - bisect_left(self._unused, number)
        while len(self._trials) <= place:
            self._trials.append(self._copy.ask())
        return self._trials[place]

    def _replay(self, finished: list[FrozenTrial]) -> None:
        epochs: list[tuple[Moment, FrozenTrial, int, float]] = []
        for trial in finished:
            if PLACE not in trial.user_attrs:
                for n, value in trial.intermediate_values.items():
                    self.prunes(trial.number, n, value, (-1, -1))
                self.ended(trial)
                continue
            slot, tick = trial.user_attrs[PLACE]
            epochs += [((tick + n, slot), trial, n, value) for n, value in trial.intermediate_values.items()]
            last = tick + int(outcome(trial).get("epochs", 0)), slot
            self._survived = max(self._survived, last)
        told: Mapping[int, int] = {t.number: max(t.intermediate_values, default=0) for t in finished}
        for _, trial, n, value in sorted(epochs, key=lambda epoch: epoch[0]):
            self.prunes(trial.number, n, value, (-1, -1))
            if n == told[trial.number]:
                self.ended(trial)


def make_pruner(settings: Mapping[str, Any]) -> BasePruner:
    """The pruner that `search.pruner` describes."""
    pruner: BasePruner = make(settings, "search.pruner", BasePruner, optuna.pruners)
    return pruner
