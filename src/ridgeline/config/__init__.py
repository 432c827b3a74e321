"""The checked configuration: Hydra composes YAML, `parse` makes frozen dataclasses of it; no DictConfig goes deeper.

Each group of conf/ has a file here. Every rule that a value must keep stands there, beside the field, so that a wrong
value is refused before anything is written. A field made by `batchable` changes no tensor's shape: fits that differ
only in such fields can be trained as one stack.
"""

from __future__ import annotations

from ridgeline.checking import ConfigError
from ridgeline.config.arrays import ArraysConfig
from ridgeline.config.callbacks import CallbacksConfig, ScheduleConfig
from ridgeline.config.data import DataConfig
from ridgeline.config.entry_points import ConfirmConfig
from ridgeline.config.images import ImagesConfig
from ridgeline.config.lr_schedule import LRScheduleConfig
from ridgeline.config.network import NetworkConfig
from ridgeline.config.optimizer import OptimizerConfig
from ridgeline.config.regularization import AugmentationConfig, RegularizationConfig
from ridgeline.config.search import SearchConfig
from ridgeline.config.table import TableConfig
from ridgeline.config.tracking import TrackingConfig
from ridgeline.config.trainer import Precision, TrainerConfig
from ridgeline.config.trial import TWO_CLASSES, Config, TrialConfig, as_tree, parse

__all__ = [
    "TWO_CLASSES",
    "ArraysConfig",
    "AugmentationConfig",
    "CallbacksConfig",
    "Config",
    "ConfigError",
    "ConfirmConfig",
    "DataConfig",
    "ImagesConfig",
    "LRScheduleConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "Precision",
    "RegularizationConfig",
    "ScheduleConfig",
    "SearchConfig",
    "TableConfig",
    "TrackingConfig",
    "TrainerConfig",
    "TrialConfig",
    "as_tree",
    "parse",
]
