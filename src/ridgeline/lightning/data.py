"""What a module of the user's own trains on: their LightningDataModule, as it is."""

from __future__ import annotations

import multiprocessing
from typing import Any

from ridgeline.config import Config
from ridgeline.data.data_module import open_data_module


def open_data(config: Config) -> Any:
    """The DataModule for the Trainer. In a worker process of this machine nothing is prepared any more: the process
    that started it has done so once, before any of them."""
    module = open_data_module(config.data)
    if multiprocessing.parent_process() is not None:
        module.prepare_data = lambda: None
    return module
