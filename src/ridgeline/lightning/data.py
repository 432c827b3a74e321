"""What a module of the user's own trains on: their LightningDataModule as it is, or the splits of ours."""

from __future__ import annotations

import multiprocessing
from typing import Any

from ridgeline.config import Config
from ridgeline.data import open_data_module
from ridgeline.lightning.package import as_data_module, package_of
from ridgeline.lightning.splits import OurSplits


def open_data(config: Config) -> Any:
    """The DataModule for the Trainer. In a worker process of this machine nothing is prepared any more: the process
    that started it has done so once, before any of them. Its test split is locked."""
    if not config.data.is_module:
        return as_data_module(OurSplits, package_of(config))(config)
    module = open_data_module(config.data)
    if multiprocessing.parent_process() is not None:
        module.prepare_data = lambda: None
    return module
