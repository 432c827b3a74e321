"""What a training needs of the machine, as far as it can be told before torch is imported: within a second or two."""

from __future__ import annotations

from pathlib import Path

from ridgeline.checking import require
from ridgeline.config import Config
from ridgeline.data import DataDescription, describe
from ridgeline.outputs import require_folder
from ridgeline.stack.limits import check_memory, check_processors
from ridgeline.tracking import check_store


def check_surroundings(config: Config) -> DataDescription:
    """The data that are there. Raises ConfigError where they, the store or the checkpoint cannot be used."""
    _check_settings(config)
    require_folder(config.runs, "runs")
    found = describe(config.data)
    check_trainer(config, found)
    check_store(config)
    return found


def check_trainer(config: Config, data: DataDescription) -> None:
    """Raise ConfigError where the checkpoint is not there, or this machine has not what is asked for."""
    _check_settings(config)
    check_memory(config, data.features, data.classes, data.examples.train)


def _check_settings(config: Config) -> None:
    """What can be told before the data are read."""
    path, precision, device = config.trainer.ckpt_path, config.trainer.precision, config.trainer.accelerator
    require(path is None or Path(path).is_file(), "trainer.ckpt_path is a file", "trainer.ckpt_path", path)
    rule = "trainer.precision is 32-true or bf16-mixed on a CPU"
    require(precision != "tf32" or device != "cpu", rule, "trainer.precision", precision)
    check_processors(config)


def asks_torch(config: Config) -> bool:
    """Whether only torch can tell if the training can begin: see `ridgeline.trials.check_device`."""
    trainer = config.trainer
    return trainer.accelerator == "cuda" or trainer.precision == "tf32" or trainer.ckpt_path is not None
