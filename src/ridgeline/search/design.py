"""A quasi-random start: points that fill the space more evenly than random ones do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ridgeline.search.space import Dimension


def design_point(space: Sequence[Dimension], seed: int, place: int) -> dict[str, Any]:
    """The point number `place` of a scrambled Sobol' sequence (Owen 1998) over the space."""
    from scipy.stats import qmc  # half a second, which the first words of a study need not wait for

    sequence = qmc.Sobol(d=len(space), scramble=True, rng=seed)
    point = sequence.random_base2(place.bit_length())[place]  # as many as keep the sequence balanced
    return {d.key: _value(d, float(share)) for d, share in zip(space, point, strict=True)}


def _value(dimension: Dimension, share: float) -> Any:
    """What lies at this share, in [0, 1), of a dimension; on its logarithm where it has one."""
    distribution = dimension.distribution
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
