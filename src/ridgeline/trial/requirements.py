"""What a training needs of the machine: the data, a place to write, the device.

All but `check_device` can be told before torch is imported, within a second or two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ridgeline.checking import require
from ridgeline.command_line.outputs import require_folder
from ridgeline.config import Config, ConfigError
from ridgeline.config.deciding import training_keys
from ridgeline.config.lr_schedule import OwnScheduleConfig
from ridgeline.config.network import NetworkConfig, OwnNetwork
from ridgeline.config.optimizer import OwnOptimizerConfig
from ridgeline.config.precision import OF_CUDA
from ridgeline.data import DataDescription, check_again, check_leaks, describe, load_arrays, notes_of
from ridgeline.stack.limits import check_memory, check_processors
from ridgeline.tasks.losses import OwnLoss
from ridgeline.tracking import check_store


def check_surroundings(config: Config) -> DataDescription:
    """Check data, store and checkpoint, and describe the data. Raises ConfigError if one of them cannot be used."""
    _check_settings(config)
    require_folder(config.runs, "runs")
    found = describe(config.data)
    check_again(config.data)
    warnings_of(config)
    check_trainer(config, found)
    check_store(config)
    return found


def warnings_of(config: Config) -> list[str]:
    """In lines: what in the data would flatter every network, and what is taken of a LightningDataModule otherwise than
    a Trainer would. Raises ConfigError with `data.leaks=refuse`."""
    if config.data.is_module:  # which is not read, but goes to the Trainer as it is
        return []
    return [*map(str, check_leaks(config.data)), *notes_of(config.data)]


def check_trainer(config: Config, data: DataDescription) -> None:
    """Raise ConfigError where the checkpoint is not there, the data are of another task, or this machine lacks what is
    asked for."""
    _check_settings(config)
    if config.data.is_module:  # which says nothing of its targets
        return
    require(config.predicted == data.task, f"task={data.task} with the targets of {data.name}", "task", config.task)
    if config.model is not None:
        return
    network, image = config.network, load_arrays(config.data).image_shape
    network.check_shape(network.example_shape(data.features, image))
    augmented = image is not None or not config.augmentation.strengths_on()
    require(augmented, f"augmentation only of images, and {data.name} are none", "data.name", config.data.name)
    check_memory(config, data.features, data.n_outputs, data.examples.train)


def _check_settings(config: Config) -> None:
    """The checks that need no data."""
    path, precision, device = config.trainer.ckpt_path, config.trainer.precision, config.trainer.accelerator
    require(path is None or Path(path).is_file(), "trainer.ckpt_path is a file", "trainer.ckpt_path", path)
    rule = "trainer.precision is 32-true or bf16-mixed on a CPU"
    require(precision not in OF_CUDA or device != "cpu", rule, "trainer.precision", precision)
    check_processors(config)


def asks_torch(config: Config) -> bool:
    """Whether only torch can tell if the training can begin: see `check_device`."""
    trainer = config.trainer
    is_own = (
        isinstance(config.loss, OwnLoss) or isinstance(config.network, OwnNetwork) or bool(config.regularization.own)
    )
    is_own |= (
        config.model is not None
        or isinstance(config.optimizer, OwnOptimizerConfig)
        or isinstance(config.lr_schedule, OwnScheduleConfig)
    )
    return is_own or trainer.accelerator == "cuda" or trainer.precision in OF_CUDA or trainer.ckpt_path is not None


def check(config: Config) -> None:
    """Refuse, with ConfigError, what only the machine can tell: no data, no device, no store to write to."""
    check_surroundings(config)
    check_device(config)


def check_device(config: Config) -> None:
    """Refuse what torch can tell: a device that is not there, a checkpoint of another training, a network, a loss, a
    regularizer, an optimizer or a schedule of the user's own that is not what it must be."""
    import torch  # which takes seconds

    from ridgeline.data import load_splits
    from ridgeline.stack.device import pick_device
    from ridgeline.stack.networks import check_network
    from ridgeline.stack.own_optimizer import check_optimizer
    from ridgeline.stack.own_schedule import check_schedule

    has_cuda = torch.cuda.is_available()
    wants_cuda = config.trainer.accelerator == "cuda"
    require(has_cuda or not wants_cuda, "torch.cuda.is_available()", "trainer.accelerator", config.trainer.accelerator)
    if pick_device(config).type == "cuda":
        there, asked = torch.cuda.device_count(), config.trainer.n_devices
        require(asked <= there, f"trainer.devices <= {there}, which this machine has,", "trainer.devices", asked)
    if config.model is not None:
        from ridgeline.lightning.rehearsal import rehearse

        rehearse(config)
        if config.trainer.ckpt_path is not None:
            _check_checkpoint(config, config.trainer.ckpt_path, _of_module)
        return
    config.loss.prove(config.predicted, describe(config.data).n_outputs, pick_device(config))
    if isinstance(config.network, OwnNetwork):
        check_network(config)
        _say_way(config)
    if config.regularization.own:
        from ridgeline.stack.own_effects import check_effects

        check_effects(config, load_splits(config.data, pick_device(config)))
    if isinstance(config.optimizer, OwnOptimizerConfig):
        check_optimizer(config, load_splits(config.data))
    if isinstance(config.lr_schedule, OwnScheduleConfig):
        check_schedule(config)
    if config.trainer.ckpt_path is not None:
        _check_checkpoint(config, config.trainer.ckpt_path, _of_stack)
        device = pick_device(config).type
        stored = torch.load(config.trainer.ckpt_path, map_location="cpu", weights_only=True).get("device", "cpu")
        require(
            device == stored, f"trainer.accelerator is {stored} as in the checkpoint", "trainer.accelerator", device
        )


def _say_way(config: Config) -> None:
    """How the fits of this network are trained: once in a process."""
    from ridgeline.stack.networks import way_of

    if config.network not in _SAID:
        _SAID.add(config.network)
        print(way_of(config), flush=True)


_SAID: set[NetworkConfig] = set()


def _check_checkpoint(config: Config, path: str, read: Callable[[str], Mapping[str, Any]]) -> None:
    """`read` gives the keys of the training that the file is of."""
    try:
        stored = read(path)
    except Exception as error:  # whatever torch finds wrong with a file that is no checkpoint
        rule = "trainer.ckpt_path is a checkpoint of one training"
        raise ConfigError(f"`{rule}` must hold, but got trainer.ckpt_path={path}.") from error
    for key, value in training_keys(config).items():
        require(stored.get(key) == value, f"{key} is {stored.get(key)} as in the checkpoint", key, value)


def _of_stack(path: str) -> Mapping[str, Any]:
    import torch

    stored: Mapping[str, Any]
    stored, *folds = torch.load(path, map_location="cpu", weights_only=True)["trainings"]
    if any(fold != stored for fold in folds):
        raise ValueError("trainings of several trials")
    return stored


def _of_module(path: str) -> Mapping[str, Any]:
    """A module's checkpoint may hold objects of the user's own, so that it is read as their code is: trusted."""
    import torch

    stored: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=False)["callbacks"]["Curve"][
        "training"
    ]
    return stored
