"""A search over settings: each is trained with every seed of the sweep, one trial after the other.

The sampler draws settings, so the seed is no dimension of its space. It sees them in a study of its own in memory: a
trial for each setting, with the mean over the seeds as its value once all of them have ended. So a lucky seed does not
lead it on.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from ridgeline.config import SearchConfig
from ridgeline.search import sampling
from ridgeline.search.ranking import REPEATED, Setting, drawn_settings, ran, repeated, seeds_of, settings
from ridgeline.search.space import Dimension


class Repeats:
    """The settings of a search whose space sweeps seeds."""

    def __init__(self, search: SearchConfig, space: Sequence[Dimension]) -> None:
        self.search = search
        self.keys = [d.key for d in space if d.key in REPEATED]
        self.seeds = list(itertools.product(*(_choices(d) for d in space if d.key in REPEATED)))
        self.space = searched(space)

    def next(self, study: Study, trials: Sequence[FrozenTrial]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The params of the next trial after these, and what the sampler wants to be kept with it.

        The first seed that a setting lacks comes next: only when none lacks any, a new setting is drawn.
        """
        drawn = drawn_settings(trials)
        for setting in drawn:
            trained = {seeds_of(t) for t in setting.trials}
            for seeds in self.seeds:
                if seeds not in trained:
                    params = {name: v for name, v in setting.trials[0].params.items() if name not in self.keys}
                    return {**params, **dict(zip(self.keys, seeds, strict=True))}, {}
        view = view_of(study, drawn, self.space)
        view.sampler = sampling.sampler_for(self.search, self.space, len(drawn), len(self.seeds))
        asked = sampling.ask(view, self.space)
        for key, value in view._storage.get_study_system_attrs(view._study_id).items():
            study._storage.set_study_system_attr(study._study_id, key, value)
        params = {**asked.params, **dict(zip(self.keys, self.seeds[0], strict=True))}
        return params, view._storage.get_trial_system_attrs(asked._trial_id)


def searched(space: Sequence[Dimension]) -> list[Dimension]:
    """The dimensions that a sampler draws: all but the seeds."""
    return [d for d in space if d.key not in REPEATED]


def shown(study: Study, space: Sequence[Dimension]) -> Study:
    """The study as Optuna's pictures take it: itself, or one in memory with a trial for each setting, and a number for
    each key, where it sweeps seeds or may have a value or an interval."""
    trials = ran(study)
    if not (trials and repeated(trials[0])) and all(d.switch is None for d in space):
        return study
    return view_of(study, settings(trials), searched(space), as_shown=True)


def view_of(study: Study, settings: Sequence[Setting], space: Sequence[Dimension], *, as_shown: bool = False) -> Study:
    """A study in memory whose trials are these settings of `study`, with what samplers noted down there.

    `as_shown`: a number for each key in each trial, whether or not the sampler has drawn it.
    """
    view = optuna.create_study(direction=study.direction, sampler=optuna.samplers.RandomSampler(seed=0))
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        view._storage.set_study_system_attr(view._study_id, key, value)
    distributions: dict[str, BaseDistribution] = {
        name: one for d in space for name, one in ({d.key: d.on_axis} if as_shown else d.parameters).items()
    }
    for setting in settings:
        params = setting.trials[0].params
        if as_shown:
            values = setting.params
            params = {d.key: d.beside.get(values[d.key], values[d.key]) for d in space if d.key in values}
        drawn = {name: one for name, one in distributions.items() if name in params}
        view.add_trial(
            create_trial(
                state=setting.state,
                value=setting.value if setting.is_complete else None,
                params={name: value for name, value in params.items() if name in drawn},
                distributions=drawn,
                intermediate_values=setting.curve if setting.state == TrialState.PRUNED else {},
                system_attrs=setting.trials[0].system_attrs,
            )
        )
    return view


def _choices(d: Dimension) -> Sequence[Any]:
    assert isinstance(d.distribution, CategoricalDistribution)
    return d.distribution.choices
