"""Which trials are not worth going on with: any pruner of Optuna, asked in the order of the logical clock.

The pruner sees a copy of the study in memory, to which every epoch is reported; the study's storage gets a trial's
curve when the trial ends, for a write an epoch would cost more than the epoch. A study that is taken up again reports
the curves of its finished trials anew, in the same order. Its running trials train anew; they survived until the last
trial ended, so up to that moment nobody asks whether they should.

Where seeds are swept, the copy holds settings: after so many epochs it gets the mean over the seeds, once every one of
them got there (one that stopped early counts with its last value). A setting is pruned as a whole, each of its trials
at its next epoch. So none is pruned for an unlucky seed or spared for a lucky one.
"""

from __future__ import annotations

import statistics
import warnings
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from ridgeline.checking import ConfigError
from ridgeline.search.endings import StudyStopped
from ridgeline.search.ranking import drawn_settings, is_interrupted, n_seeds, outcome, repeated
from ridgeline.search.targets import make
from ridgeline.target import reason

PLACE = "place"
"""User attribute of a trial: its slot, and its first tick on the logical clock."""

REHEARSED = 4
"""Trials, and epochs of each, that a pruner sees before a study."""

Moment = tuple[int, int]
"""A moment on the logical clock: its tick, and the slot, for those of one tick are handled in the order of slots."""


@dataclass
class Watched:
    """A setting as the pruner sees it.

    `trial` stands for it in the copy of the study. `seeds`: how many trials it is to have. By trial number, `curves`
    has the metric after so many epochs, `ended` the trials that ended. `reported`: after how many epochs the pruner
    knows it. `is_condemned`: the pruner has said that it is not worth going on with.
    """

    trial: Trial
    seeds: int
    curves: dict[int, dict[int, float]] = field(default_factory=dict)
    ended: dict[int, FrozenTrial] = field(default_factory=dict)
    reported: int = 0
    is_condemned: bool = False

    def advance(self, *, counts: bool) -> None:
        """Report the epochs that all seeds have reached by now, and ask the pruner. `counts`: whether its answer
        does."""
        while (mean := self._mean(self.reported + 1)) is not None:
            self.reported += 1
            self.trial.report(mean, self.reported)
            if _asked(self.trial) and counts:
                self.is_condemned = True

    def _mean(self, epochs: int) -> float | None:
        """The mean over the seeds after so many epochs; None while a seed has not got there, or if none will."""
        if len(self.curves) < self.seeds or all(epochs not in curve for curve in self.curves.values()):
            return None
        values = []
        for number, curve in self.curves.items():
            has_stopped = number in self.ended and self.ended[number].state == TrialState.COMPLETE
            if epochs not in curve and not has_stopped:
                return None
            values.append(curve[epochs] if epochs in curve else curve[max(curve)])
        return statistics.fmean(values)


class Pruning:
    """A study's pruner and what it has seen."""

    def __init__(self, study: Study, pruner: BasePruner) -> None:
        self._study = study
        self._copy = optuna.create_study(
            study_name=study.study_name,
            direction=study.direction,
            pruner=pruner,
            sampler=optuna.samplers.RandomSampler(),
        )
        trials = study.get_trials(deepcopy=False)
        # Of trials that a killed process left; the others have the numbers that they would have without.
        self._unused = [t.number for t in trials if is_interrupted(t)]
        self._watched: list[Watched] = []
        self._places: dict[int, int] = {}
        self._survived: Moment = (-1, -1)
        self._replay([t for t in trials if t.state.is_finished() and not is_interrupted(t)])

    def prunes(self, number: int, epochs: int, value: float, moment: Moment) -> bool:
        """Take in the metric of a trial after so many epochs; whether the trial is to be pruned."""
        watched = self._of(number)
        watched.curves.setdefault(number, {})[epochs] = value
        watched.advance(counts=moment > self._survived)
        return watched.is_condemned and moment > self._survived

    def ended(self, trial: FrozenTrial, moment: Moment) -> None:
        """Take in how a trial ended, when it has been told to the study."""
        watched = self._of(trial.number)
        watched.ended[trial.number] = trial
        watched.is_condemned |= trial.state == TrialState.PRUNED
        watched.advance(counts=moment > self._survived)
        if len(watched.ended) == watched.seeds:
            states = {t.state for t in watched.ended.values()}
            state = next((s for s in (TrialState.FAIL, TrialState.PRUNED) if s in states), TrialState.COMPLETE)
            values = [t.value for t in watched.ended.values() if t.value is not None]
            value = statistics.fmean(values) if state == TrialState.COMPLETE else None
            self._copy.tell(watched.trial, value, state=state)

    def _of(self, number: int) -> Watched:
        """The setting of a trial. Pruners choose by the number of its like in the copy too: Hyperband its brackets."""
        if self._places.get(number, len(self._watched)) < len(self._watched):
            return self._watched[self._places[number]]
        trials = self._study.get_trials(deepcopy=False)  # which reads the storage
        if number not in self._places and not repeated(trials[number]):
            self._places[number] = number - bisect_left(self._unused, number)
        elif number not in self._places:
            drawn = drawn_settings(t for t in trials if not is_interrupted(t))
            self._places = {t.number: place for place, setting in enumerate(drawn) for t in setting.trials}
        while len(self._watched) <= self._places[number]:
            self._watched.append(Watched(self._copy.ask(), n_seeds(trials[number])))
        return self._watched[self._places[number]]

    def _replay(self, finished: list[FrozenTrial]) -> None:
        events: list[tuple[Moment, bool, FrozenTrial, int]] = []
        for trial in finished:
            curve, placed = trial.intermediate_values, trial.user_attrs.get(PLACE)
            slot, tick = placed or (trial.number, -1)
            last = tick + max([int(outcome(trial).get("epochs", 0)), *curve]) if placed else -1
            events += [((tick + n if placed else -1, slot), False, trial, n) for n in sorted(curve)]
            events.append(((last, slot), True, trial, 0))
            self._survived = max(self._survived, (last, slot)) if placed else self._survived
        for _, is_end, trial, n in sorted(events, key=lambda event: event[:2]):
            if is_end:
                self.ended(trial, (-1, -1))
            else:
                self.prunes(trial.number, n, trial.intermediate_values[n], (-1, -1))


def make_pruner(settings: Mapping[str, Any]) -> BasePruner:
    """The pruner that `search.pruner` describes."""
    pruner: BasePruner = make(settings, "search.pruner", BasePruner)
    return pruner


def rehearse(settings: Mapping[str, Any], direction: Literal["minimize", "maximize"]) -> None:
    """Let the pruner see a few trials, in memory: one that cannot is refused early."""
    pruner, study = make_pruner(settings), optuna.create_study(direction=direction)
    study.pruner = pruner
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of trials too short to be told apart, for example
            for place in range(REHEARSED):
                trial = study.ask()
                for epochs in range(1, REHEARSED + 1):
                    trial.report(1.0 / (epochs + place), epochs)
                    answer = trial.should_prune()
                    if not isinstance(answer, (bool, np.bool_)):
                        raise TypeError(f"prune gives {answer!r}, not true or false")
                study.tell(trial, 1.0 / (REHEARSED + place))
    except Exception as error:
        target = settings.get("_target_")
        rule = "the pruner says of a trial whether it is to be pruned"
        raise ConfigError(f"`{rule}` must hold, but got search.pruner._target_={target}: {reason(error)}.") from error


def _asked(trial: Trial) -> bool:
    """Whether the pruner would end it. Raises StudyStopped where the pruner fails, which the user may have written."""
    try:
        return trial.should_prune()
    except Exception as error:
        raise StudyStopped(f"The study ends: search.pruner fails, {reason(error)}.") from error
