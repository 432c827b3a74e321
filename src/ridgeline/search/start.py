"""What the first settings of a search try, before its sampler knows anything.

`search.enqueue` lists settings to begin with, each a mapping of searched keys to values. What they leave open, and the
settings after them up to `search.n_startup_trials`, are points of a quasi-random design, which fill the space more
evenly than random ones do.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ridgeline.checking import ConfigError, nearest, require
from ridgeline.config import SearchConfig
from ridgeline.search.conditions import ON
from ridgeline.search.space import Dimension

NOWHERE = object()
"""Stands for a value that a dimension does not have."""


def design_point(space: Sequence[Dimension], seed: int, place: int) -> dict[str, Any]:
    """The point number `place` of a scrambled Sobol' sequence (Owen 1998) over the space."""
    from scipy.stats import qmc  # half a second, which the first words of a study need not wait for

    sequence = qmc.Sobol(d=len(space), scramble=True, rng=seed)
    point = sequence.random_base2(place.bit_length())[place]  # as many as keep the sequence balanced
    return {d.key: _at_share(d, float(share)) for d, share in zip(space, point, strict=True)}


def _at_share(dimension: Dimension, share: float) -> Any:
    """The value at this share, in [0, 1), of the way through a dimension; of its logarithm, where it is logarithmic."""
    distribution = dimension.distribution
    if dimension.switch is not None:
        share *= len(dimension.switch.choices)
        choice, share = dimension.switch.choices[int(share)], share % 1
        if choice != ON:
            return choice
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(share * len(distribution.choices))]
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high, step = distribution.low, distribution.high, distribution.step
    if isinstance(distribution, FloatDistribution) and step is None:
        if distribution.log:
            return min(high, max(low, math.exp(math.log(low) + share * math.log(high / low))))
        return low + share * (high - low)
    if distribution.log:  # of integers, each with the room between its halves
        edge = math.log(low - 0.5)
        return min(int(high), max(int(low), round(math.exp(edge + share * (math.log(high + 0.5) - edge)))))
    assert step is not None
    return low + step * int(share * (round((high - low) / step) + 1))


def enqueued(search: SearchConfig, space: Sequence[Dimension], place: int) -> dict[str, Any]:
    """The values that `search.enqueue` fixes for the setting of this place; the others are drawn."""
    given = search.enqueue[place] if place < len(search.enqueue) else {}
    return {d.key: _in_space(d, given[d.key]) for d in space if d.key in given}


def left_of_enqueue(
    search: SearchConfig, space: Sequence[Dimension], arguments: Collection[str]
) -> Sequence[Mapping[str, Any]]:
    """The entries of a file, without what the command line says otherwise: the keys that it sets or sweeps, or all that
    is not searched where it leaves the file's space out (`~search.params`). `arguments`: the typed keys."""
    known = {d.key for d in space}

    def is_left(key: str) -> bool:
        is_typed = key in arguments or f"search.params.{key}" in arguments
        return not is_typed and (key in known or "search.params" not in arguments)

    kept = [{key: value for key, value in entry.items() if is_left(key)} for entry in search.enqueue]
    if kept == [*search.enqueue]:
        return search.enqueue
    return [entry for place, entry in enumerate(kept) if entry and entry not in kept[:place]]


def check_enqueue(search: SearchConfig, space: Sequence[Dimension]) -> None:
    """Raise ConfigError unless every key is searched and every value is one that could be drawn."""
    known = {d.key: d for d in space}
    for place, given in enumerate(search.enqueue):
        where = f"search.enqueue[{place}]"
        require(len(given) > 0, "an entry of search.enqueue sets a searched key", where, {})
        for key, value in given.items():
            if key not in known:
                raise ConfigError(f"`{key}` is not searched, but got {where}.{key}={value}. {nearest(key, known)}")
            d = known[key]
            require(_in_space(d, value) is not NOWHERE, f"{key} in {d.text}", f"{where}.{key}", value)


def _in_space(d: Dimension, value: Any) -> Any:
    """A value of a configuration as the dimension has it, or `NOWHERE`: of an interval 0 is 0.0, and the list [16] is
    the choice that is written so."""
    listed = next((c for c in d.choices if _same(_read(d, c), value)), NOWHERE)
    if listed is not NOWHERE or isinstance(d.distribution, CategoricalDistribution):
        return listed
    if isinstance(value, (bool, Mapping)) or not d.contains(value):
        return NOWHERE
    return d.distribution.to_external_repr(d.distribution.to_internal_repr(value))


def _read(d: Dimension, choice: Any) -> Any:
    """A choice as a configuration has it; as text it is in Hydra's grammar."""
    return OverridesParser.create().parse_override(d.override(choice)).value() if isinstance(choice, str) else choice


def _same(choice: Any, value: Any) -> bool:
    """Whether they are equal, where true is not 1."""
    return bool(choice == value) and isinstance(choice, bool) == isinstance(value, bool)
