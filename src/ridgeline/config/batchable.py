"""Which keys of a configuration change no tensor's shape, so that fits which differ in them can share a stack."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.config.trial import Config


def structure(config: Config) -> Config:
    """The configuration without batchable keys, and without what trains no fit: equal structures can share a stack."""
    blank = {f.name: f.default for f in dataclasses.fields(Config) if f.name in NOT_TRAINED}
    return dataclasses.replace(_blank_batchable(config), **blank)


def is_batchable(key: str) -> bool:
    """Whether fits that differ in this dotted key can share a stack."""
    try:
        *groups, name = key.split(".")
        node: Any = Config
        for group in groups:
            hint = typing.get_type_hints(node)[group]
            node = next(kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind))
        return any(f.name == name and f.metadata.get("batchable", False) for f in dataclasses.fields(node))
    except (KeyError, StopIteration):
        return False


def _blank_batchable(node: Any) -> Any:
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    changes = {
        f.name: None if f.metadata.get("batchable") else _blank_batchable(getattr(node, f.name))
        for f in dataclasses.fields(node)
    }
    return dataclasses.replace(node, **changes)
