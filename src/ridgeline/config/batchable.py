"""Which keys of a configuration change no tensor's shape, and which decide a training's numbers."""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Any

from ridgeline.config.entry_points import OF_ENTRY_POINTS
from ridgeline.config.trial import Config, as_tree

NOT_TRAINED = ("tracking", "search", "trial", "runs", "import_path", *OF_ENTRY_POINTS)
"""Parts of a configuration that no training depends on."""


def structure(config: Config) -> Config:
    """The configuration without what trains no fit, and its knobs: equal structures can share a stack."""
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


def training_keys(config: Config) -> dict[str, Any]:
    """The dotted keys that decide a training's numbers: what a checkpoint may be gone on with must agree in them."""
    tree = as_tree(config)
    for name in NOT_TRAINED:
        del tree[name]
    for name in ("ckpt_path", "enable_progress_bar", "checkpoint_interval", "max_epochs", "num_threads"):
        del tree["trainer"][name]
    del tree["data"]["root"]
    return _flat(tree, "")


def is_trained(key: str) -> bool:
    """Whether a training's numbers may depend on this dotted key, or choice of a group."""
    return re.split(r"[./@=]", key.lstrip("+~"), maxsplit=1)[0] not in NOT_TRAINED


def _blank_batchable(node: Any) -> Any:
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    changes = {
        f.name: None if f.metadata.get("batchable") else _blank_batchable(getattr(node, f.name))
        for f in dataclasses.fields(node)
    }
    return dataclasses.replace(node, **changes)


def _flat(node: Any, path: str) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {path: node}
    flat: dict[str, Any] = {}
    for name, value in node.items():
        flat |= _flat(value, f"{path}.{name}" if path else name)
    return flat
