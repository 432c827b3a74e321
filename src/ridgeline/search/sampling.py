"""What the next trial tries: a function of the seed, the trial's place in the study, and the finished trials."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from hydra.utils import instantiate
from optuna.samplers import BaseSampler, PartialFixedSampler, QMCSampler, RandomSampler

from ridgeline.checking import ConfigError, nearest, require
from ridgeline.config import SearchConfig
from ridgeline.search.space import Dimension


def seed_of(base: int, place: int) -> int:
    """31 bits from the study's seed and a trial's place among those that count."""
    return int.from_bytes(hashlib.sha256(f"{base}/{place}".encode()).digest()[:4], "big") >> 1


def sampler_at(search: SearchConfig, place: int) -> BaseSampler:
    """The sampler of `search.sampler`, fresh for one draw.

    `place` counts the earlier trials that were not interrupted, so a study that was stopped anywhere draws what it
    would have drawn. A sampler's own `seed` takes the place of search.seed. Quasi-random sequences keep one seed: their
    points are spread by the order in which they are drawn.
    """
    settings = dict(search.sampler or {})
    cls = _sampler_class(settings)
    base = settings.get("seed", search.seed)
    known = inspect.signature(cls).parameters
    for name in settings:
        if name != "_target_" and name not in known:
            raise ConfigError(f"{cls.__name__} has no setting `{name}`: leave it out with ~search.sampler.{name}.")
    if "seed" in known:
        settings["seed"] = base if issubclass(cls, QMCSampler) or base is None else seed_of(base, place)
    try:
        return cls(**{name: _instantiated(value) for name, value in settings.items() if name != "_target_"})
    except Exception as error:  # whatever a sampler's constructor raises
        reason = str(error.__cause__ or error).split("\n")[0]
        raise ConfigError(f"`search.sampler can be made` must hold, but got {settings}: {reason}") from error


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


def _instantiated(value: Any) -> Any:
    """A setting that is itself named by `_target_`, a sampler's pruner or base sampler, is made by Hydra."""
    return instantiate(value) if isinstance(value, Mapping) else value


def _sampler_class(settings: Mapping[str, Any]) -> type:
    target = str(settings.get("_target_"))
    module, _, name = target.rpartition(".")
    try:  # not by Hydra, which logs an error of several lines
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        known = [f"optuna.samplers.{each}" for each in optuna.samplers.__all__ if each.endswith("Sampler")]
        raise ConfigError(f"There is no search.sampler._target_={target}. {nearest(target, known)}") from error
    rule = "search.sampler._target_ is a sampler of Optuna"
    require(isinstance(cls, type) and issubclass(cls, BaseSampler), rule, "search.sampler._target_", target)
    return cls


def combinations(space: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Of a grid, in Hydra's order: the last list varies fastest."""
    return [
        dict(zip((d.key for d in space), values, strict=True)) for values in itertools.product(*(d.ends for d in space))
    ]


def fixed_sampler(params: Mapping[str, Any]) -> BaseSampler:
    """Draws exactly these."""
    return PartialFixedSampler(dict(params), RandomSampler(seed=0))
