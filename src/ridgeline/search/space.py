"""The search space: Hydra's sweep grammar turned into Optuna distributions.

- interval(a, b): a float in [a, b]; tag(log, interval(a, b)) draws it on a logarithmic scale.
- int(interval(a, b)): an integer, both ends included.
- range(a, b, step): a, a + step, ... below b, as everywhere in Hydra.
- choice(a, b), or a,b: one of the values. glob(...): one of a group's choices.
- a,interval(b, c): the value a, or one of the interval (see `conditions`).

A swept seed is a list or a range: no dimension of a sampler, but what each setting is trained with.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
    RangeSweep,
    Transformer,
)
from hydra.errors import HydraException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from ridgeline.checking import ConfigError, require
from ridgeline.command_line.paths import PATHS, absolute
from ridgeline.search.conditions import ON, SWITCH
from ridgeline.search.ranking import REPEATED

PREFIXES = {OverrideType.CHANGE: "", OverrideType.ADD: "+", OverrideType.FORCE_ADD: "++"}


@dataclass(frozen=True)
class Dimension:
    """One swept key, and the values that it may take. `prefix`: Hydra's + or ++. `text`: the sweep as it was typed.

    `switch`: of a value or an interval, the values and `ON`; then `distribution` is that of the interval.
    """

    key: str
    prefix: str
    text: str
    distribution: BaseDistribution
    switch: CategoricalDistribution | None = None

    def override(self, value: Any) -> str:
        """The override that gives a job exactly this value of the key."""
        return f"{self.prefix}{self.key}={render(value)}"

    def contains(self, value: Any) -> bool:
        """Whether the value can be drawn."""
        try:
            return bool(self.distribution._contains(self.distribution.to_internal_repr(value)))
        except ValueError:  # not among the choices, or no number
            return False

    @property
    def parameters(self) -> dict[str, BaseDistribution]:
        """What Optuna draws, in this order; of two parameters the second only where the first is `ON`."""
        return {**({self.key + SWITCH: self.switch} if self.switch else {}), self.key: self.distribution}

    def params(self, value: Any) -> dict[str, Any]:
        """The parameters of a trial in which the key has this value."""
        if self.switch is None:
            return {self.key: value}
        return {self.key + SWITCH: value} if value in self.choices else {self.key + SWITCH: ON, self.key: value}

    @property
    def beside(self) -> dict[Any, float]:
        """Where a picture shows the values that stand beside the interval: a number where it is; if the axis has no
        place for it, a tenth of the interval below that."""
        if self.switch is None:
            return {}
        assert isinstance(self.distribution, (FloatDistribution, IntDistribution))
        low, high, log = self.distribution.low, self.distribution.high, self.distribution.log
        below = low / (high / low) ** 0.1 if log else low - (high - low) / 10
        return {c: float(c) if isinstance(c, (int, float)) and (c > 0 or not log) else below for c in self.choices}

    @property
    def on_axis(self) -> BaseDistribution:
        """The distribution as pictures show it: a number for each value."""
        if self.switch is None:
            return self.distribution
        assert isinstance(self.distribution, (FloatDistribution, IntDistribution))
        numbers = [self.distribution.low, self.distribution.high, *self.beside.values()]
        return FloatDistribution(min(numbers), max(numbers), log=self.distribution.log)

    @property
    def definition(self) -> dict[str, Any]:
        """What of it is a part of the study's definition: the distributions, however the sweep was spelled."""
        return {name: json.loads(distribution_to_json(d)) for name, d in self.parameters.items()}

    @property
    def choices(self) -> list[Any]:
        """The values that are listed."""
        if self.switch is not None:
            return [value for value in self.switch.choices if value != ON]
        return list(self.distribution.choices) if isinstance(self.distribution, CategoricalDistribution) else []

    @property
    def ends(self) -> list[Any]:
        """The values to check: every choice; of an interval both ends and one between."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self.choices
        return [*self.choices, *self._ends_of_interval()]

    def _ends_of_interval(self) -> list[Any]:
        assert isinstance(self.distribution, (FloatDistribution, IntDistribution))
        low, high = self.distribution.low, self.distribution.high
        if isinstance(self.distribution, FloatDistribution) and self.distribution.step is None:
            return [low, high, low + (high - low) / math.e]  # no integer, where the key wants one
        return [low, high]


def render(value: Any) -> str:
    """A value in Hydra's grammar. Text is in it already (see `_choices`); a float's repr gives the same bits again."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def dimension(override: Override, *, grid: bool, seed: int) -> Dimension:
    """The dimension of an override that sweeps; on a grid it must be a list. `seed` is that of shuffle(...)."""
    key, text = full_key(override), override.get_value_string()
    require(override.type in PREFIXES, "a swept key is set, not deleted", key, text)
    intervals, switch = _intervals(override), None
    if key in REPEATED:
        rule = f"{key} is swept by a list or a range, for each setting is trained with all of them"
        require(not intervals, rule, key, text)
        grid = True
    if intervals and grid:
        raise ConfigError(
            f"`{key}={text}` has no list of values for a grid: add search=bayes with a sampler, or give the values."
        )
    if intervals:
        require(len(intervals) == 1, "a list has one interval at most", key, text)
        distribution = _interval(key, text, intervals[0])
        if not override.is_interval_sweep():
            values = _choices(key, text, override, seed)
            require(ON not in values, f"no value beside an interval is called {ON}", key, text)
            switch = CategoricalDistribution([*values, ON])
    elif not grid and override.is_range_sweep():
        distribution = _range(key, text, override.value())
    else:
        distribution = CategoricalDistribution(_choices(key, text, override, seed))
    return Dimension(key, PREFIXES[override.type], text, distribution, switch)


def known_dimension(override: Override, space: Mapping[str, BaseDistribution]) -> Dimension:
    """The dimension of an override of a stored study, whose distribution is known."""
    key = full_key(override)
    switch = space.get(key + SWITCH)
    assert switch is None or isinstance(switch, CategoricalDistribution)
    return Dimension(key, PREFIXES[override.type], override.get_value_string(), space[key], switch)


def full_key(override: Override) -> str:
    """The key of an override; with its package, `key@package`, if it has one."""
    key = override.key_or_group
    return key if override.package is None else f"{key}@{override.package}"


def _intervals(override: Override) -> list[IntervalSweep]:
    """The interval that is swept, or those among the values of a list."""
    sweep = override.value()
    found = sweep.list if isinstance(sweep, ChoiceSweep) else [sweep]
    return [one for one in found if isinstance(one, IntervalSweep)]


def _interval(key: str, text: str, sweep: IntervalSweep) -> BaseDistribution:
    low, high = sweep.start, sweep.end
    assert low is not None
    assert high is not None
    log = _log(key, text, sweep.tags)
    require(math.isfinite(low) and math.isfinite(high), "both ends of an interval are finite", key, text)
    require(low < high, "min < max of interval(min, max), neither empty nor reversed,", key, text)
    if log:
        require(low > 0, "min > 0 of tag(log, interval(min, max))", key, text)
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _range(key: str, text: str, sweep: Any) -> BaseDistribution:
    assert isinstance(sweep, RangeSweep)
    values = _elements(key, text, sweep.range)
    low, high, step = min(values), max(values), abs(sweep.step)
    log = _log(key, text, sweep.tags)
    if log:
        require(low > 0, "min > 0 of tag(log, range(min, max))", key, text)
        require(step == 1, "step == 1 of tag(log, range(min, max, step))", key, text)
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log, step=int(step))
    require(not log, "tag(log, range(...)) is of integers", key, text)
    return FloatDistribution(low, high, step=float(step))


def _log(key: str, text: str, tags: set[str]) -> bool:
    require(tags <= {"log"}, "the only tag is log", key, text)
    return "log" in tags


def _choices(key: str, text: str, override: Override, seed: int) -> list[Any]:
    """The values of a list: numbers and truth values as they are, all else as text in Hydra's grammar, for Optuna
    stores no list."""
    sweep = override.value()
    shuffled = isinstance(sweep, (ChoiceSweep, RangeSweep)) and sweep.shuffle
    if isinstance(sweep, (ChoiceSweep, RangeSweep)):
        sweep.shuffle = False  # Hydra's order would differ from start to start
    elements = [one for one in _elements(key, text, override.sweep_iterator) if not isinstance(one, IntervalSweep)]
    if key in PATHS:  # what jobs in folders of their own would read as another place
        elements = [_place(key, element) for element in elements]
    choices = [
        Transformer.str(element) if isinstance(element, (str, QuotedString, list, dict)) else element
        for element in elements
    ]
    require(len(set(choices)) == len(choices), "the values of a list differ", key, text)
    if shuffled:
        random.Random(seed).shuffle(choices)
    return choices


def _place(key: str, element: Any) -> Any:
    text = element.text if isinstance(element, QuotedString) else element
    place = absolute(key, text)
    return element if place == text else QuotedString(str(place), Quote.single)


def _elements(key: str, text: str, make: Any) -> list[Any]:
    try:
        values = list(make())
    except (HydraException, ValueError) as error:  # a step of 0
        raise ConfigError(f"`{key}={text}` cannot be read: {error}.") from error
    require(len(values) > 0, "a sweep has at least one value", key, text)
    return values
