"""A module of the user's own is tried with one batch before anything is written, so that a mistake is told at once."""

from __future__ import annotations

import os
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from ridgeline.checking import ConfigError, require
from ridgeline.config import Config
from ridgeline.lightning.curve import Curve
from ridgeline.lightning.data import open_data
from ridgeline.lightning.effects import make_effects
from ridgeline.lightning.package import as_callback, package_of
from ridgeline.lightning.rank import Rank, joined
from ridgeline.lightning.ranks import Ask, NoAnswer, on_ranks
from ridgeline.lightning.spread import cause, prepare
from ridgeline.lightning.training import build_module, build_trainer, in_one_line, own_callbacks
from ridgeline.stack.device import pick_device
from ridgeline.stack.fitting import quiet_lightning


def rehearse(config: Config) -> None:
    """Train one batch and validate one. Raises ConfigError, one line, for what the user's code raises, and where it
    does not log what the study asks for."""
    assert config.model is not None
    logged = _on_devices(config) if config.trainer.is_spread else _logged(config)
    stopping = config.callbacks.early_stopping
    asked = {"metric": config.metric}
    if stopping is not None:
        asked["callbacks.early_stopping.monitor"] = stopping.monitor
    for key, name in asked.items():
        if name not in logged:
            said = f"It logs {', '.join(logged)}" if logged else "It logs nothing"
            raise ConfigError(f"`{key} is logged by {config.model.path}` must hold, but got {key}={name}. {said}.")


def _logged(config: Config, rank: Rank | None = None) -> list[str]:
    """The names of what is logged, sorted."""
    package = package_of(config)
    curve = as_callback(Curve, package)(config)
    before = {name: os.environ.get(name) for name in SEEDS}
    with quiet_lightning(), tempfile.TemporaryDirectory(prefix="ridgeline_") as folder, _isolated(package):
        warnings.filterwarnings("error", message="Using a target size")  # torch's word for a sum over all pairs
        with in_one_line(config, "model trains one batch"):
            try:
                package.seed_everything(config.seed, workers=True, verbose=False)
                data, module = open_data(config), build_module(config)
                _require_validation(config, data, module)
                callbacks = [own for own in own_callbacks(config) if not isinstance(own, package.callbacks.Checkpoint)]
                ours = [*callbacks, *make_effects(config), curve]
                trainer = build_trainer(config, package, ours, Path(folder), rank, **_few(config))
                with joined(rank, pick_device(config)):
                    trainer.fit(module, datamodule=data)
            finally:
                for name, value in before.items():
                    os.environ.pop(name, None)
                    os.environ |= {name: value} if value is not None else {}
    return sorted({name for row in curve.history for name in row} - {"epoch"})


def _on_devices(config: Config) -> list[str]:
    """By processes that train together, as the trials will be."""
    with in_one_line(config, "model trains one batch"):
        prepare(config)
    found = on_ranks(config.trainer.n_devices, partial(_try, config), lambda message: None)
    refusal = cause([each.reason for each in found if isinstance(each, NoAnswer)])
    if refusal is not None:
        raise ConfigError(refusal)
    logged: list[str] = found[0]
    return logged


def _try(config: Config, rank: Rank, ask: Ask) -> list[str] | NoAnswer:
    try:
        return _logged(config, rank)
    except ConfigError as error:
        return NoAnswer(str(error))


def _require_validation(config: Config, data: Any, module: Any) -> None:
    """Raise ConfigError where nothing would be validated, of which else a metric that is missing is the first sign."""
    name = "val_dataloader"
    given = any(name in vars(one) or not _is_of_lightning(getattr(one, name)) for one in (data, module))
    rule = "the DataModule has a val_dataloader"
    require(given or not _validates(config), rule, "data._target_", type(data).__name__)


def _is_of_lightning(method: Any) -> bool:
    return method.__module__.partition(".")[0] in ("pytorch_lightning", "lightning")


def _validates(config: Config) -> bool:
    return dict(config.trainer.lightning).get("limit_val_batches") != 0


def _few(config: Config) -> dict[str, Any]:
    """A batch of each, validated after the first epoch whenever the training itself is."""
    few = {"max_epochs": 1, "limit_train_batches": 1, "limit_val_batches": int(_validates(config))}
    return {**few, "check_val_every_n_epoch": 1, "val_check_interval": 1.0, "enable_progress_bar": False}


SEEDS = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")
"""Variables that seeding leaves behind."""


def _isolated(package: Any) -> Any:
    """What is drawn inside is as if it had not been drawn."""
    utilities = __import__(f"{package.__name__}.utilities.seed", fromlist=["isolate_rng"])
    return utilities.isolate_rng()
