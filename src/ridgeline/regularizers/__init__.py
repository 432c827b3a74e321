"""What regularizes, an effect a file: each acts at its own moments of a training step, on all K fits at once.

`effect` says what an effect is. `all_effects` finds the files of this folder by themselves: a new one is a new file.
"""

from __future__ import annotations

import importlib
import pkgutil

from ridgeline.regularizers.effect import Batch, Effect, Fits

__all__ = ["Batch", "Effect", "Fits", "all_effects"]


def all_effects() -> list[Effect]:
    """One of each, in the order in which they act."""
    found = [
        value
        for info in pkgutil.iter_modules(__path__)
        for value in vars(importlib.import_module(f"{__name__}.{info.name}")).values()
        if isinstance(value, type) and issubclass(value, Effect) and value.__module__ == f"{__name__}.{info.name}"
    ]
    return [kind() for kind in sorted(found, key=lambda kind: kind.order) if kind is not Effect]
