"""Lightning goes by two names, `lightning` and `pytorch_lightning`: the one that the user's module is of trains it."""

from __future__ import annotations

import importlib
from typing import Any

from ridgeline.config import Config


def package_of(config: Config) -> Any:
    """`pytorch_lightning` or `lightning.pytorch`, of whose LightningModule the user's is one."""
    assert config.model is not None
    found = config.model.find()
    homes = {base.__module__.partition(".")[0] for base in getattr(found, "__mro__", ())}
    is_other = "lightning" in homes and "pytorch_lightning" not in homes
    return importlib.import_module("lightning.pytorch" if is_other else "pytorch_lightning")


def as_callback(own: Any, package: Any) -> Any:
    """A class whose methods are hooks as a callback of this package: of its last ones, which see all that is logged."""
    return type(own.__name__, (own, package.callbacks.Checkpoint), {})


def as_data_module(own: Any, package: Any) -> Any:
    """A class with the loaders of a DataModule as one of this package."""
    return type(own.__name__, (own, package.LightningDataModule), {})
