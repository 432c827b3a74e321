"""What the next trial tries: a function of the seed, the trial's place in the study, and the finished trials."""

from __future__ import annotations

import hashlib
import inspect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler, QMCSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from ridgeline.checking import ConfigError
from ridgeline.config import SearchConfig
from ridgeline.search.design import design_point
from ridgeline.search.space import Dimension
from ridgeline.search.targets import find, make


def seed_of(base: int, place: int) -> int:
    """31 bits from the study's seed and a trial's place among those that count."""
    return int.from_bytes(hashlib.sha256(f"{base}/{place}".encode()).digest()[:4], "big") >> 1


def sampler_for(search: SearchConfig, space: Sequence[Dimension], trials: Sequence[FrozenTrial]) -> BaseSampler:
    """The sampler of the next trial, after these, of which none was interrupted; fresh for one draw.

    So a study that was stopped anywhere draws what it would have drawn. What `search.enqueue` fixes comes first; until
    `search.n_startup_trials` have ended, points of a quasi-random design; then `search.sampler`.
    """
    place = len(trials)
    ended = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials)
    if ended < search.n_startup_trials:
        sampler = fixed_sampler(design_point(space, search.seed, place))
    else:
        sampler = sampler_at(search, place)
    fixed = enqueued(search, space, place)
    return PartialFixedSampler(fixed, sampler) if fixed else sampler


def sampler_at(search: SearchConfig, place: int) -> BaseSampler:
    """The sampler of `search.sampler` for the trial of this place.

    A sampler's own `seed` takes the place of search.seed. Quasi-random sequences keep one seed: their points are spread
    by the order in which they are drawn.
    """
    settings = dict(search.sampler or {})
    cls = find(settings, "search.sampler", BaseSampler, optuna.samplers)
    base = settings.get("seed", search.seed)
    if "seed" in inspect.signature(cls).parameters:
        settings["seed"] = base if issubclass(cls, QMCSampler) or base is None else seed_of(base, place)
    sampler: BaseSampler = make(settings, "search.sampler", BaseSampler, optuna.samplers)
    return sampler


def enqueued(search: SearchConfig, space: Sequence[Dimension], place: int) -> dict[str, Any]:
    """What `search.enqueue` says of the trial of this place, as far as the space holds it; the rest is drawn."""
    given = search.enqueue[place] if place < len(search.enqueue) else {}
    return {d.key: given[d.key] for d in space if d.key in given and d.contains(given[d.key])}


def rehearse(search: SearchConfig, space: Sequence[Dimension]) -> None:
    """Draw once in memory, after the random trials: a sampler that cannot (a missing package, say) is refused early."""
    settings = dict(search.sampler or {})
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    distributions = {d.key: d.distribution for d in space}
    n_random = settings.get("n_startup_trials", 10)  # Optuna's default
    for place in range(n_random):
        study.tell(study.ask(distributions), float(place))
    study.sampler = sampler_at(search, n_random)
    try:
        study.ask(distributions)
    except Exception as error:
        target, reason = settings.get("_target_"), str(error).split("\n")[0]
        rule = "the sampler draws from this space"
        raise ConfigError(f"`{rule}` must hold, but got search.sampler._target_={target}: {reason}") from error


def combinations(space: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Of a grid, in Hydra's order: the last list varies fastest."""
    return [
        dict(zip((d.key for d in space), values, strict=True)) for values in itertools.product(*(d.ends for d in space))
    ]


def fixed_sampler(params: Mapping[str, Any]) -> BaseSampler:
    """Draws exactly these."""
    return PartialFixedSampler(dict(params), RandomSampler(seed=0))
