"""What the next setting tries: a function of the seed, its place in the study, and what has ended.

The start belongs to places, not to what has ended: the settings whose trials come before number
`search.n_startup_trials` are those of a quasi-random design, and all others the sampler's. So the design, and with it
every sampler that learns nothing, draws the same points however many trials run at once.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, PartialFixedSampler, QMCSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial, Trial

from ridgeline.checking import ConfigError, require
from ridgeline.config import SearchConfig
from ridgeline.search.conditions import ON
from ridgeline.search.space import Dimension
from ridgeline.search.start import design_point, enqueued
from ridgeline.search.targets import find, make
from ridgeline.target import TARGET, is_own, reason

logging.getLogger("optuna._gp.batched_lbfgsb").setLevel(logging.ERROR)  # it warns that greenlet would be faster

START = "n_startup_trials"
OF_FIXED_SPACES = (QMCSampler, GPSampler, CmaEsSampler)
"""Samplers of spaces of which each trial has all parameters."""
REHEARSED = 3
"""How many results a sampler has seen when it is tried out before a study."""


def seed_of(base: int, place: int) -> int:
    """The seed of the sampler that draws at this place, of 31 bits. `base` is the study's."""
    return int.from_bytes(hashlib.sha256(f"{base}/{place}".encode()).digest()[:4], "big") >> 1


def sampler_for(search: SearchConfig, space: Sequence[Dimension], place: int, seeds: int = 1) -> BaseSampler:
    """The sampler that draws the setting of this place, and only that one. Each setting has `seeds` trials.

    So a study that was stopped anywhere draws what it would have drawn. What `search.enqueue` fixes comes first; the
    rest is drawn.
    """
    if place * seeds < search.n_startup_trials:
        sampler = fixed_sampler(_params(space, design_point(space, search.seed, place)))
    else:
        sampler = sampler_at(search, place)
    fixed = _params(space, enqueued(search, space, place))
    return PartialFixedSampler(fixed, sampler) if fixed else sampler


def _params(space: Sequence[Dimension], values: Mapping[str, Any]) -> dict[str, Any]:
    """Optuna's parameters of these values."""
    return {name: param for d in space if d.key in values for name, param in d.params(values[d.key]).items()}


def ask(study: Study, space: Sequence[Dimension]) -> Trial:
    """The next trial of a study, whose sampler draws it; the strength of what is off is not asked for."""
    trial = study.ask()
    for d in space:
        for name, distribution in d.parameters.items():
            if trial._suggest(name, distribution) != ON and d.switch is not None:
                break
    return trial


def with_space(sampler: BaseSampler, known: IntersectionSearchSpace | None) -> IntersectionSearchSpace | None:
    """Give a new sampler what the ones before it found out of the space that all trials have in common, which else it
    would look for in every trial; what it knows then."""
    inner = sampler._base_sampler if isinstance(sampler, PartialFixedSampler) else sampler
    own = getattr(inner, "_search_space", None)
    if not isinstance(own, IntersectionSearchSpace):
        return known
    if known is None or known._include_pruned != own._include_pruned:
        return own
    inner._search_space = known  # type: ignore[attr-defined]
    return known


def sampler_at(search: SearchConfig, place: int) -> BaseSampler:
    """The sampler of `search.sampler` for the setting of this place.

    A sampler's own `seed` takes the place of search.seed. Quasi-random sequences keep one seed, and the point number
    `place` is drawn from them, however many a process that was killed has drawn.
    """
    settings = dict(search.sampler or {})
    cls = find(settings, "search.sampler", BaseSampler)
    base = settings.get("seed", search.seed)
    if "seed" in inspect.signature(cls).parameters:
        settings["seed"] = base if issubclass(cls, QMCSampler) or base is None else seed_of(base, place)
    sampler: BaseSampler = make(_begins_at_once(settings), "search.sampler", BaseSampler)
    if isinstance(sampler, QMCSampler):
        sampler._find_sample_id = lambda study, search_space: place  # type: ignore[method-assign]  # else a counter
    _require_inside(sampler)
    return sampler


def _begins_at_once(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a sampler, and of those inside of it, without a random start of its own: it begins at once."""
    own = {
        name: _begins_at_once(v) if isinstance(v, Mapping) and "_target_" in v else v for name, v in settings.items()
    }
    cls = find(settings, "search.sampler", BaseSampler)
    return own | {START: 1} if START in inspect.signature(cls).parameters else own


def _require_inside(sampler: BaseSampler) -> None:
    """From now on it raises Outside where it draws what is not in the space, of which Optuna checks a part: before the
    value is stored, which nothing could read again."""
    draw = sampler.sample_independent

    def drawn(study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        value = draw(study, trial, param_name, param_distribution)
        if not param_distribution._contains(param_distribution.to_internal_repr(value)):
            raise Outside(f"{param_name}={value} is not in {param_distribution}")
        return value

    sampler.sample_independent = drawn  # type: ignore[method-assign]


class Outside(ValueError):
    """A sampler has drawn a value that is not in the space."""


def rehearse(search: SearchConfig, space: Sequence[Dimension]) -> None:
    """Let the sampler draw once, in memory: one that cannot, for a missing package say, is refused early."""
    settings = dict(search.sampler or {})
    _check_start(settings, "search.sampler")
    _check_conditions(settings, space)
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for place in range(REHEARSED):
        study.tell(ask(study, space), float(place))
    study.sampler = sampler_at(search, REHEARSED)
    try:
        ask(study, space)
    except Exception as error:
        target, why = settings.get("_target_"), str(error).split("\n")[0]
        if is_own(str(target)) and not isinstance(error, Outside):
            why = reason(error)
        rule = "the sampler draws from this space"
        raise ConfigError(f"`{rule}` must hold, but got search.sampler._target_={target}: {why}") from error


def _check_start(settings: Mapping[str, Any], key: str) -> None:
    """Refuse a sampler's own number of random trials: with two of them a short search would have no trial of its
    sampler."""
    rule = f"search.{START} alone says when the sampler begins"
    require(START not in settings, rule, f"{key}.{START}", settings.get(START))
    for name, value in settings.items():
        if isinstance(value, Mapping):
            _check_start(value, f"{key}.{name}")


def _check_conditions(settings: Mapping[str, Any], space: Sequence[Dimension]) -> None:
    """Refuse a sampler that would draw the strengths at random where they may be off, for it learns of those parameters
    alone that every trial has."""
    conditional = next((f"{d.key}={d.text}" for d in space if d.switch is not None), None)
    for own in (settings, *(v for v in settings.values() if isinstance(v, Mapping) and TARGET in v)):
        if conditional and issubclass(find(dict(own), "search.sampler", BaseSampler), OF_FIXED_SPACES):
            rule = f"search/sampler is tpe or random where a key has a value or an interval ({conditional})"
            require(False, rule, f"search.sampler.{TARGET}", own[TARGET])


def combinations(space: Sequence[Dimension]) -> list[dict[str, Any]]:
    """The combinations of a grid in Hydra's order: the last list varies fastest."""
    return [
        dict(zip((d.key for d in space), values, strict=True)) for values in itertools.product(*(d.ends for d in space))
    ]


def fixed_sampler(params: Mapping[str, Any]) -> BaseSampler:
    """A sampler that draws exactly these parameters."""
    return PartialFixedSampler(dict(params), RandomSampler(seed=0))
