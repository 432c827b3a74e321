"""The groups `regularization` and `augmentation`, gathered from the files of `ridgeline.regularizers`.

Each of those declares its own keys, with their defaults and rules, so that a new one needs no line here.
docs/knobs.md explains the keys.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

from ridgeline.checking import require, targets
from ridgeline.strengths import BATCHES, Group, OwnEffect, Settings

FOLDER = "ridgeline.regularizers"


def _declared(group: str) -> Any:
    """The settings of a group, in the order of the files, which import torch only where they act."""
    names = [f"{FOLDER}.{info.name}" for info in pkgutil.iter_modules(importlib.import_module(FOLDER).__path__)]
    values = [(name, value) for name in names for value in vars(importlib.import_module(name)).values()]
    kinds = [value for name, value in values if isinstance(value, type) and value.__module__ == name]
    return tuple(kind for kind in kinds if issubclass(kind, Settings) and kind.group == group)


_REGULARIZATION, _AUGMENTATION = _declared("regularization"), _declared("augmentation")


@dataclass(frozen=True)
class RegularizationConfig(Group, *_REGULARIZATION[::-1]):  # type: ignore[misc]  # fields of the last base come first
    """Penalties, bounds, noise and averages; 0 = off. `own`: the user's effects, by name."""

    own: tuple[tuple[str, OwnEffect], ...] = targets(OwnEffect)

    def strengths_on(self) -> dict[str, Any]:
        """Those that are more than 0, by key; and the user's effects."""
        return {**super().strengths_on(), **dict(self.own)}

    def only(self, names: Collection[str], **default: Any) -> Self:
        own = tuple((name, target) for name, target in self.own if name in names)
        return super().only(names, **{"own": own, **default})

    def check_on_module(self, config: Any) -> None:
        super().check_on_module(config)
        for name, target in self.own:
            key, rule = f"regularization.{name}", f"regularization.{name} has no on_batch with model, {BATCHES},"
            require("on_batch" not in target.methods(), rule, f"{key}._target_", target.path)

    kinds = _REGULARIZATION


@dataclass(frozen=True)
class AugmentationConfig(Group, *_AUGMENTATION[::-1]):  # type: ignore[misc]
    """How much each image of a training batch may be changed at random; 0 = off."""

    kinds = _AUGMENTATION
