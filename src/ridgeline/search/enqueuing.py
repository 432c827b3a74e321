"""`search.enqueue`: what the first settings of a search try, each a mapping of searched keys to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution

from ridgeline.checking import ConfigError, nearest, require
from ridgeline.config import SearchConfig
from ridgeline.search.space import Dimension


def enqueued(search: SearchConfig, space: Sequence[Dimension], place: int) -> dict[str, Any]:
    """What is fixed of the setting of this place; the rest is drawn."""
    given = search.enqueue[place] if place < len(search.enqueue) else {}
    return {d.key: _in_space(d, given[d.key]) for d in space if d.key in given}


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


NOWHERE = object()


def _in_space(d: Dimension, value: Any) -> Any:
    """The value as the space has it: 0 is 0.0 of an interval, and the list [16] a choice that is written so."""
    if isinstance(d.distribution, CategoricalDistribution):
        return next((c for c in d.distribution.choices if _same(_read(d, c), value)), NOWHERE)
    if isinstance(value, (bool, Mapping)) or not d.contains(value):
        return NOWHERE
    return d.distribution.to_external_repr(d.distribution.to_internal_repr(value))


def _read(d: Dimension, choice: Any) -> Any:
    """A choice as a configuration has it: text is in Hydra's grammar."""
    return OverridesParser.create().parse_override(d.override(choice)).value() if isinstance(choice, str) else choice


def _same(choice: Any, value: Any) -> bool:
    """Equal, and no truth value for a number."""
    return bool(choice == value) and isinstance(choice, bool) == isinstance(value, bool)
