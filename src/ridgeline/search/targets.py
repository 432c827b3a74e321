"""Samplers and pruners of Optuna, by `_target_`, with errors of one line."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ridgeline.checking import ConfigError, nearest, require


def find(settings: Mapping[str, Any], key: str, base: type, home: ModuleType) -> type:
    """The class that `_target_` names, a `base`; `home` is where Optuna keeps such."""
    target = str(settings.get("_target_"))
    module, _, name = target.rpartition(".")
    try:  # not by Hydra, which logs an error of several lines
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        suffix = base.__name__.removeprefix("Base")
        known = [f"{home.__name__}.{each}" for each in home.__all__ if each.endswith(suffix)]
        raise ConfigError(f"There is no {key}._target_={target}. {nearest(target, known)}") from error
    rule = f"{key}._target_ is a {base.__name__.removeprefix('Base').lower()} of Optuna"
    require(isinstance(cls, type) and issubclass(cls, base), rule, f"{key}._target_", target)
    for setting in settings:
        if setting != "_target_" and setting not in inspect.signature(cls).parameters:
            raise ConfigError(f"{cls.__name__} has no setting `{setting}`: leave it out with ~{key}.{setting}.")
    return cls


def make(settings: Mapping[str, Any], key: str, base: type, home: ModuleType) -> Any:
    """An object of it. A setting with its own `_target_` is one of the same kind: a patient pruner wraps another."""
    cls = find(settings, key, base, home)
    own = {
        name: make(value, f"{key}.{name}", base, home) if isinstance(value, Mapping) and "_target_" in value else value
        for name, value in settings.items()
        if name != "_target_"
    }
    try:
        return cls(**own)
    except Exception as error:  # whatever a constructor raises
        reason = str(error).split("\n")[0]
        raise ConfigError(f"`{key} can be made` must hold, but got {dict(settings)}: {reason}") from error
