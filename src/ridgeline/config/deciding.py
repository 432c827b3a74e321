"""Which keys of a configuration decide the numbers of a fit.

Each field says so itself, where it is declared: one that is marked `aside` decides nothing, one that is marked `course`
says how a fit gets to its numbers. All others decide them.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator
from typing import Any

from ridgeline.config.search import SearchConfig
from ridgeline.config.trial import Config, as_tree


def marked(cls: Any, decides: str) -> tuple[str, ...]:
    """The dotted keys of a configuration class that are marked so; of a group that is, none below it."""
    return tuple(_marked(cls, decides, ""))


def _marked(cls: Any, decides: str, path: str) -> Iterator[str]:
    hints = typing.get_type_hints(cls)
    for f in dataclasses.fields(cls):
        key = f"{path}.{f.name}" if path else f.name
        if f.metadata.get("decides") == decides:
            yield key
        elif "decides" not in f.metadata:
            for kind in (hints[f.name], *typing.get_args(hints[f.name])):
                if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                    yield from _marked(kind, decides, key)


NOTHING = marked(Config, "nothing")
"""Keys, and whole groups, that no number of a fit follows from."""

COURSE = marked(Config, "course")
"""Keys that say how a fit gets to its numbers."""

NOTHING_OF_A_SEARCH = marked(SearchConfig, "nothing")
"""Keys of `search` from which it does not follow what is tried."""

NOT_TRAINED = tuple(key for key in NOTHING if "." not in key)
"""Of `NOTHING`, what lies at the top."""

OF_ENTRY_POINTS = tuple(f.name for f in dataclasses.fields(Config) if f.metadata.get("entry_point"))
"""Of those again, what one entry point reads each."""


def is_trained(key: str) -> bool:
    """Whether a training's numbers may depend on this dotted key, or choice of a group."""
    return re.split(r"[./@=]", key.lstrip("+~"), maxsplit=1)[0] not in NOT_TRAINED


def deciding_keys(config: Config, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """The dotted keys that decide the numbers of a fit, with their values; without those that `but` lists."""
    flat = _flat(as_tree(config), "")
    left_out = (*NOTHING, *COURSE, *but)
    return {key: value for key, value in flat.items() if not any(f"{key}.".startswith(f"{one}.") for one in left_out)}


def training_keys(config: Config) -> dict[str, Any]:
    """What a checkpoint must agree in with the training that goes on from it, which may be longer."""
    return deciding_keys(config, but=("trainer.max_epochs",))


def _flat(node: Any, path: str) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {path: node}
    flat: dict[str, Any] = {}
    for name, value in node.items():
        flat |= _flat(value, f"{path}.{name}" if path else name)
    return flat
