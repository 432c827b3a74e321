"""A LightningModule of the user's own is trained by an ordinary Trainer, as `Trainer.fit` would with its seed."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ridgeline.checking import ConfigError, require
from ridgeline.config import Config
from ridgeline.lightning.curve import Curve
from ridgeline.lightning.data import open_data
from ridgeline.lightning.effects import make_effects, weights_of
from ridgeline.lightning.numbers import numbers_logger
from ridgeline.lightning.package import as_callback, package_of
from ridgeline.lightning.rank import Rank, environment, joined
from ridgeline.lightning.splits import given as given_by_data
from ridgeline.stack.device import give_back_memory, is_lost, is_out_of_memory, pick_device
from ridgeline.stack.fitting import quiet_lightning
from ridgeline.stack.precision import float32_products
from ridgeline.stack.records import FitResult, Row
from ridgeline.target import reason


def fit_module(
    config: Config,
    *,
    go_on: Callable[[Row], bool] | None = None,
    listener: Callable[[Row], None] | None = None,
    job_dir: Path | None = None,
    rank: Rank | None = None,
) -> FitResult:
    """Train the module on its data. `go_on` and `listener` are `Curve`'s; the Trainer writes into `job_dir`. `rank`:
    this process is one of several that do; without it there is one device. See `ridgeline.lightning.spread`.

    What the user's code raises is the `failure` of the result, in one line; in a worker, which gives `go_on`, an error
    after which its device answers no more is raised.
    """
    started = time.monotonic()
    package = package_of(config)
    effects = make_effects(config)
    own = {"weights_of": weights_of(effects), "folder": job_dir}
    curve = as_callback(Curve, package)(config, go_on=go_on, listener=listener, **own)
    with quiet_lightning(), _threads(_threads_of(config, rank)), _folder(job_dir) as folder:
        try:
            trainer = _train(config, package, [*effects, curve], folder, rank)
            curve.end = curve.end or ("callback" if trainer.should_stop else "max_epochs")
        except Exception as error:
            if error is curve.parting or (go_on is not None and is_lost(error)):  # a worker ends then
                raise
            curve.failure, curve.end = _failure(error), "failed"
    give_back_memory()
    return _result(config, curve, time.monotonic() - started)


def build_trainer(
    config: Config, package: Any, callbacks: Sequence[Any], folder: Path, rank: Rank | None = None, **more: Any
) -> Any:
    """An ordinary Trainer: what it does is the configuration's `trainer`, whatever environment it is started in.

    Without a `rank` it has one device.
    """
    given = {name: value for name, value in config.trainer.lightning if value is not None}
    if not config.trainer.names_devices:
        given["devices"] = config.trainer.n_devices if rank is not None else 1
    if rank is not None and not config.data.is_module:
        given["use_distributed_sampler"] = False  # examples of ours are divided where they are loaded
    settings = {
        "max_epochs": config.trainer.max_epochs,
        "precision": "32-true" if config.trainer.precision == "tf32" else config.trainer.precision,
        "enable_progress_bar": config.trainer.enable_progress_bar,
        "num_sanity_val_steps": 0,
        **given,
        "strategy": "auto" if rank is None else config.trainer.strategy_name,
        **more,
    }
    return package.Trainer(
        accelerator="gpu" if pick_device(config).type == "cuda" else "cpu",
        plugins=[environment(package, rank)],
        callbacks=list(callbacks),
        logger=numbers_logger(package),
        enable_model_summary=False,
        default_root_dir=folder,
        **settings,
    )


def build_module(config: Config) -> Any:
    """The user's module. Raises ConfigError, one line, for what its code raises."""
    assert config.model is not None
    module = config.model.build(**({} if config.data.is_module else given_by_data(config)))
    rule = "model._target_ gives a LightningModule"
    require(hasattr(module, "training_step"), rule, "model._target_", config.model.path)
    return module


@contextmanager
def in_one_line(config: Config, rule: str) -> Iterator[None]:
    """Whatever the user's code raises becomes a ConfigError of one line: the rule that it breaks, the module, why."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        assert config.model is not None
        shown = f"model._target_={config.model.path}: {reason(error)}"
        raise ConfigError(f"`{rule}` must hold, but got {shown}.") from error


def own_callbacks(config: Config) -> list[Any]:
    """The user's."""
    return [target.build() for _, target in config.callbacks.own]


def _train(config: Config, package: Any, ours: Sequence[Any], folder: Path, rank: Rank | None) -> Any:
    package.seed_everything(config.seed, workers=True, verbose=False)
    data = open_data(config)
    module = build_module(config)
    trainer = build_trainer(config, package, [*own_callbacks(config), *ours], folder, rank)
    with float32_products(config.trainer.precision), joined(rank, pick_device(config)):
        trainer.fit(module, datamodule=data, ckpt_path=config.trainer.ckpt_path, weights_only=False)
    return trainer


def _failure(error: Exception) -> str:
    if is_out_of_memory(error):
        return f"it needs more memory than there is ({' '.join(str(error).split())})"
    return str(error) if isinstance(error, ConfigError) else reason(error)


def _result(config: Config, curve: Curve, seconds: float) -> FitResult:
    failure, metrics, value = curve.failure, dict[str, float](), math.nan
    if failure is None and curve.end != "pruned" and curve.best_epoch == 0:
        logged = sorted({name for row in curve.history for name in row} - {"epoch"})
        failure = f"{config.metric} was never logged, only {', '.join(logged) or 'nothing'}"
    if failure is None and curve.best_epoch > 0:
        row = curve.history[curve.best_epoch - 1]
        value = row[config.metric]
        metrics = {f"final/{name.replace('/', '_')}": known for name, known in row.items() if name != "epoch"}
    return FitResult(
        config=config,
        value=value,
        best_epoch=curve.best_epoch,
        end=curve.end or "max_epochs",
        failure=failure,
        history=curve.history,
        metrics=metrics,
        weights={} if failure else curve.weights,
        seconds=seconds,
    )


def _threads_of(config: Config, rank: Rank | None) -> int | None:
    """Where nobody said, processes that train together divide the cores among them."""
    number = config.trainer.num_threads
    return number if rank is None or number else max(1, torch.get_num_threads() // rank.n)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _folder(job_dir: Path | None) -> Iterator[Path]:
    """Where the Trainer and its callbacks write; without a job what they write is let go."""
    if job_dir is not None:
        yield job_dir
        return
    with tempfile.TemporaryDirectory(prefix="ridgeline_") as folder:
        yield Path(folder)
