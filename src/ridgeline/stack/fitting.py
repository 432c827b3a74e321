"""Train K configurations as one stack with an ordinary Lightning Trainer."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment

from ridgeline.config import Config
from ridgeline.data import Splits
from ridgeline.stack.callbacks import Checkpoints, Listener, Progress, Report, make_callbacks
from ridgeline.stack.collect import collect
from ridgeline.stack.module import Stack
from ridgeline.stack.precision import float32_products, no_denormals
from ridgeline.stack.records import FitResult


def fit(
    configs: Sequence[Config],
    splits: Splits,
    *,
    listener: Listener | None = None,
    job_dir: Path | None = None,
    watchers: Sequence[pl.Callback] = (),
) -> list[FitResult]:
    """Train the configurations, which may differ in knobs only, on splits that lie on the device they train on.

    Of splits with folds each trains a fit a fold, and its result is their mean: see `stack.folds`. `listener` gets the
    rows of each epoch; a long training saves checkpoints in `job_dir`; `watchers` see each step. A fit that diverges
    ends with its `failure` set and leaves the others as they are.
    """
    if configs[0].trains_alone and len(configs) > 1:
        return [fit([config], splits, listener=listener, watchers=watchers)[0] for config in configs]
    shared = configs[0].trainer
    stack = Stack(configs, splits)
    callbacks = make_callbacks(configs[0], watchers)
    if listener is not None:
        callbacks.append(Report(listener))
    if shared.enable_progress_bar:
        callbacks.append(Progress())
    if job_dir is not None:
        callbacks.append(Checkpoints(job_dir, shared.checkpoint_interval))
    collecting = Collecting()
    callbacks.append(collecting)
    threads = shared.num_threads or _paying_threads(stack)
    with quiet_lightning(), _threads(threads), no_denormals(), float32_products(shared.precision):
        trainer = build_trainer(stack, callbacks, max_epochs=shared.max_epochs, job_dir=job_dir)
        trainer.fit(stack, ckpt_path=shared.ckpt_path)
        return collecting.results or collect(stack, range(len(configs)))  # from a checkpoint of its end nothing trains


class Collecting(pl.Callback):
    """Takes the results where the stack trained: when the Trainer ends, it moves all that it knows to the CPU."""

    def __init__(self) -> None:
        self.results: list[FitResult] = []

    def on_train_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for record in stack.records:
            record.end = record.end or "callback"  # one of the user's own stopped the trainer
        self.results = collect(stack, range(stack.n_trials))


def build_trainer(
    stack: Stack, callbacks: list[pl.Callback], *, max_epochs: int, job_dir: Path | None = None
) -> pl.Trainer:
    """An ordinary Trainer on the device that the data lie on, without what the stack does itself.

    It is one process. Left to itself, Lightning looks for a cluster in variables such as SLURM_NTASKS, which an
    interactive job has too, and refuses to train or waits for others.
    """
    return pl.Trainer(
        plugins=[LightningEnvironment()],
        max_epochs=max_epochs,
        accelerator="gpu" if stack.splits.train.x_NI.is_cuda else "cpu",
        devices=1,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=job_dir,
    )


def _paying_threads(stack: Stack) -> int:
    """One below 50 million multiplications a step: threads that wait for each other then cost more than they gain."""
    batch = stack.configs[0].trainer.batch_size or stack.splits.train.n
    multiplications = 3 * batch * stack.network.k * stack.network.survey.n_multiplications
    return 1 if multiplications < 50e6 else os.cpu_count() or 1


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Lightning's start-up lines say nothing about this training; its advice about workers does not fit tensors."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning.*")
        warnings.filterwarnings("ignore", module="lightning.*")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
