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
from ridgeline.search.ranking import REPEATED, Setting, drawn_settings, seeds_of
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
                    return {**setting.params, **dict(zip(self.keys, seeds, strict=True))}, {}
        view = view_of(study, drawn, self.space)
        view.sampler = sampling.sampler_for(self.search, self.space, len(drawn), len(self.seeds))
        asked = view.ask({d.key: d.distribution for d in self.space})
        for key, value in view._storage.get_study_system_attrs(view._study_id).items():
            study._storage.set_study_system_attr(study._study_id, key, value)
        params = {**asked.params, **dict(zip(self.keys, self.seeds[0], strict=True))}
        return params, view._storage.get_trial_system_attrs(asked._trial_id)


def searched(space: Sequence[Dimension]) -> list[Dimension]:
    """The dimensions that a sampler draws: all but the seeds."""
    return [d for d in space if d.key not in REPEATED]


def view_of(study: Study, settings: Sequence[Setting], space: Sequence[Dimension]) -> Study:
    """A study in memory whose trials are these settings of `study`, with what samplers noted down there."""
    view = optuna.create_study(direction=study.direction, sampler=optuna.samplers.RandomSampler(seed=0))
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        view._storage.set_study_system_attr(view._study_id, key, value)
    distributions: dict[str, BaseDistribution] = {d.key: d.distribution for d in space}
    for setting in settings:
        view.add_trial(
            create_trial(
                state=setting.state,
                value=setting.value if setting.is_complete else None,
                params=setting.params,
                distributions=distributions,
                intermediate_values=setting.curve if setting.state == TrialState.PRUNED else {},
                system_attrs=setting.trials[0].system_attrs,
            )
        )
    return view


def _choices(d: Dimension) -> Sequence[Any]:
    assert isinstance(d.distribution, CategoricalDistribution)
    return d.distribution.choices
