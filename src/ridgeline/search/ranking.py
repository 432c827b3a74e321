"""A study's trials, sorted into those that count, and its settings, which are what is ranked.

A swept seed is no hyperparameter: trials that differ in their seeds alone repeat one setting. A setting is ranked by
the mean over all of its seeds. One of which a seed failed, was pruned or has not been trained has no such mean and no
rank: what is left of it may be its luckier half.
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ridgeline.search.conditions import values_of

REPEATED = ("seed", "data.seed")
"""Keys that repeat a setting: `seed` with another initialization and noise, `data.seed` on another split."""

INTERRUPTED = "interrupted"
"""User attribute of a trial whose process ended before the trial did: FAIL for Optuna, but it counts for nothing."""


OUTCOME = "outcome"
"""User attribute of a trial that ended: `run_id`, `best_epoch`, `epochs`, `seconds`, `metrics`, `reason` if it failed.

One attribute for all of it, for each is a write to the storage."""


@dataclass(frozen=True)
class Setting:
    """Parameters that were tried, and the trials that tried them: one for each seed where seeds are swept, else one.

    `params` are the values of the searched keys, without the seeds. `trials` are in the order of their numbers. `seeds`
    says how many there are to be.
    """

    params: dict[str, Any]
    trials: tuple[FrozenTrial, ...]
    seeds: int = 1

    @property
    def is_complete(self) -> bool:
        """Whether every seed has a value."""
        return len(self.trials) == self.seeds and all(t.state == TrialState.COMPLETE for t in self.trials)

    @cached_property
    def value(self) -> float:
        """The mean over the seeds; NaN unless it is complete."""
        return statistics.fmean(_values(self.trials)) if self.is_complete else math.nan

    @property
    def state(self) -> TrialState:
        """FAIL or PRUNED as soon as one of its trials is."""
        states = {t.state for t in self.trials}
        ended = next((state for state in (TrialState.FAIL, TrialState.PRUNED) if state in states), TrialState.RUNNING)
        return TrialState.COMPLETE if self.is_complete else ended

    @property
    def curve(self) -> dict[int, float]:
        """By epoch, the mean over its seeds of what was reported to a pruner; as far as every seed got."""
        curves = [t.intermediate_values for t in self.trials]
        steps = set.intersection(*(set(curve) for curve in curves)) if len(curves) == self.seeds else set()
        return {step: statistics.fmean(curve[step] for curve in curves) for step in sorted(steps)}

    @property
    def deviation(self) -> float | None:
        """The standard deviation between seeds; None of a single one, or unless it is complete."""
        return statistics.stdev(_values(self.trials)) if self.is_complete and self.seeds > 1 else None

    @property
    def trial(self) -> FrozenTrial:
        """What stands for it: the trial nearest to the mean, the earlier of equals; without a mean, the first."""
        if not self.is_complete:
            return self.trials[0]
        return min(self.trials, key=lambda t: (abs((t.value or 0.0) - self.value), t.number))

    @property
    def metrics(self) -> dict[str, float]:
        """The means over the seeds of what its trials measured; empty unless it is complete."""
        found = [outcome(t).get("metrics", {}) for t in self.trials] if self.is_complete else [{}]
        return {
            name: statistics.fmean(own[name] for own in found) for name in found[0] if all(name in o for o in found)
        }


class Standings:
    """The complete settings, the best first and of equal ones the earlier, while one trial after the other ends.

    `direction` is the study's: whether a small or a large value is the better one.
    """

    def __init__(self, direction: StudyDirection, trials: Iterable[FrozenTrial] = ()) -> None:
        self.best: list[Setting] = []
        self._sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
        self._known: dict[Any, Setting] = {}
        for trial in trials:
            self.add(trial)

    def add(self, trial: FrozenTrial) -> Setting:
        """Take in a trial that ended by itself; its setting as it is now."""
        setting = Setting(values_of(trial.params), (trial,))
        if repeated(trial):
            key = tuple(params_of(trial).items())
            own = self._known[key].trials if key in self._known else ()
            if any(seeds_of(trial) == seeds_of(t) for t in own):  # drawn again, it says the same again
                return self._known[key]
            trials = tuple(sorted((*own, trial), key=lambda t: t.number))
            setting = self._known[key] = Setting(dict(key), trials, n_seeds(trial))
        if setting.is_complete:
            bisect.insort(self.best, setting, key=lambda s: (self._sign * s.value, s.trials[0].number))
        return setting


def best_settings(trials: Iterable[FrozenTrial], direction: StudyDirection) -> list[Setting]:
    """The complete settings of these trials of a study with this direction, the best first; of equal ones the
    earlier."""
    return Standings(direction, trials).best


def settings(trials: Iterable[FrozenTrial]) -> list[Setting]:
    """All settings of these trials, by their first trial. Without swept seeds each trial is one."""
    drawn = drawn_settings(trials)
    if all(s.seeds == 1 for s in drawn[:1]):
        return drawn
    found: dict[Any, Setting] = {}
    for setting in drawn:  # one that was drawn again says the same again
        found.setdefault(tuple(setting.params.items()), setting)
    return list(found.values())


def drawn_settings(trials: Iterable[FrozenTrial]) -> list[Setting]:
    """As `settings`, but one that was drawn again is there again."""
    trials, drawn = list(trials), list[tuple[dict[str, Any], dict[Any, FrozenTrial]]]()
    if not trials or not repeated(trials[0]):
        return [Setting(values_of(t.params), (t,)) for t in trials]
    lacking: dict[Any, list[dict[Any, FrozenTrial]]] = {}
    for trial in trials:
        params, seeds = params_of(trial), seeds_of(trial)
        piles = lacking.setdefault(tuple(params.items()), [])
        pile = next((pile for pile in piles if seeds not in pile), None)
        if pile is None:
            piles.append(pile := {})
            drawn.append((params, pile))
        pile[seeds] = trial
    return [Setting(params, tuple(pile.values()), n_seeds(trials[0])) for params, pile in drawn]


def repeated(trial: FrozenTrial) -> list[str]:
    """The keys of seeds that a trial's study sweeps."""
    return [key for key in REPEATED if isinstance(trial.distributions.get(key), CategoricalDistribution)]


def n_seeds(trial: FrozenTrial) -> int:
    """How many trials the setting of a trial is to have."""
    lists = (d for key, d in trial.distributions.items() if key in REPEATED)
    return math.prod(len(d.choices) for d in lists if isinstance(d, CategoricalDistribution))


def params_of(trial: FrozenTrial) -> dict[str, Any]:
    """The values of a trial's setting: all but its seeds."""
    keys = repeated(trial)
    return {key: value for key, value in values_of(trial.params).items() if key not in keys}


def seeds_of(trial: FrozenTrial) -> tuple[Any, ...]:
    return tuple(trial.params[key] for key in repeated(trial))


def outcome(trial: FrozenTrial) -> dict[str, Any]:
    """What came of a trial, beside its value (see `OUTCOME`); empty until it has ended."""
    found: dict[str, Any] = trial.user_attrs.get(OUTCOME, {})
    return found


def ran(study: Study) -> list[FrozenTrial]:
    """The trials that ended by themselves: COMPLETE, PRUNED or FAILED."""
    return [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and not is_interrupted(t)]


def is_interrupted(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get(INTERRUPTED, False))


def state_of(trial: FrozenTrial) -> str:
    """COMPLETE, PRUNED, FAILED, INTERRUPTED or RUNNING."""
    if is_interrupted(trial):
        return "INTERRUPTED"
    return "FAILED" if trial.state == TrialState.FAIL else trial.state.name


def counts(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """How many trials are complete, pruned and failed."""
    states = [state_of(t) for t in trials]
    return {state.lower(): states.count(state) for state in ("COMPLETE", "PRUNED", "FAILED")}


def _values(trials: Sequence[FrozenTrial]) -> list[float]:
    return [t.value for t in trials if t.value is not None]
