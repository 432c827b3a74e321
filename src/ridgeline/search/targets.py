"""Samplers and pruners by `_target_`: Optuna's, or the user's own of its classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.checking import require
from ridgeline.target import TARGET, Target


def find(settings: Mapping[str, Any], key: str, base: type) -> type:
    """The class that `_target_` names, a `base`. Raises ConfigError, one line, for one with other arguments."""
    cls = Target.read(settings, key).find()
    kind = base.__name__.removeprefix("Base").lower()
    is_one = isinstance(cls, type) and issubclass(cls, base)
    require(is_one, f"{key}.{TARGET} is a {kind} of Optuna", f"{key}.{TARGET}", settings[TARGET])
    assert isinstance(cls, type)
    return cls


def make(settings: Mapping[str, Any], key: str, base: type) -> Any:
    """An object of it. A setting with its own `_target_` is made too: a patient pruner wraps another."""
    find(settings, key, base)
    return Target.read(settings, key).build()
