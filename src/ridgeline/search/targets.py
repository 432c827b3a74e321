"""Samplers and pruners by `_target_`: Optuna's, or the user's own of its classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.checking import require
from ridgeline.target import TARGET, Target


def find(settings: Mapping[str, Any], key: str, base: type) -> type:
    """The class that `_target_` names, which must be a `base`. Raises ConfigError where its arguments do not fit."""
    cls = Target.read(settings, key).find()
    kind = base.__name__.removeprefix("Base").lower()
    is_one = isinstance(cls, type) and issubclass(cls, base)
    require(is_one, f"{key}.{TARGET} is a {kind} of Optuna", f"{key}.{TARGET}", settings[TARGET])
    assert isinstance(cls, type)
    return cls


def make(settings: Mapping[str, Any], key: str, base: type) -> Any:
    """An object of the class that `_target_` names. A setting with a `_target_` of its own is made too: a patient
    pruner wraps another."""
    find(settings, key, base)
    return Target.read(settings, key).build()
