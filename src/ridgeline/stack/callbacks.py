"""Lightning callbacks along the stack: each fit has its own patience, its own schedule, its own clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ridgeline.bars import bar_of
from ridgeline.config import Config
from ridgeline.stack.diagnostics import Diagnostics
from ridgeline.stack.folds import FailingTogether, epochs_of, mean_row
from ridgeline.stack.module import Stack
from ridgeline.stack.own_schedule import OwnFactors
from ridgeline.stack.records import Row, after_epoch, as_cost
from ridgeline.stack.schedules import lr_factor, scheduled
from ridgeline.tasks.figures import shown

Listener = Callable[[int, Row], None]
"""Called with the place of a trial and its row after each epoch: with folds, their mean."""


class EarlyStopping(pl.Callback):
    """Lightning's early stopping, a fit each: stop after `patience` epochs that are better by no more than
    `min_delta`."""

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for config, record in zip(stack.configs, stack.records, strict=True):
            rule = config.callbacks.early_stopping
            if rule is None or record.end is not None or record.epoch <= rule.start_from_epoch:
                continue
            cost = as_cost(record.history[-1], rule.monitor)
            record.stopping_best, record.waited = after_epoch(rule, cost, record.stopping_best, record.waited)
            if record.waited >= rule.patience:
                record.end = "early_stopping"


class Schedules(pl.Callback):
    """Sets each fit's learning rate, dropout rates and penalties at the start of its epoch."""

    def __init__(self) -> None:
        self._own = OwnFactors()

    def on_train_epoch_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        clocks = [(config, record.epoch) for config, record in zip(stack.configs, stack.records, strict=True)]
        if stack.configs[0].lr_schedule.name == "own":
            fits = enumerate(zip(stack.configs, stack.records, strict=True))
            factors = [self._own.factor(k, config, record) for k, (config, record) in fits]
        else:
            factors = [lr_factor(c.lr_schedule, epoch, c.trainer.max_epochs) for c, epoch in clocks]
        stack.set_epoch(factors, [scheduled(c, epoch) for c, epoch in clocks])


def make_callbacks(config: Config, watchers: Sequence[pl.Callback] = ()) -> list[pl.Callback]:
    """What acts on a training, wherever it takes place: ours, and those that the configuration names by `_target_`."""
    ours = [Schedules(), *watchers, Diagnostics(), EarlyStopping(), FailingTogether()]
    return ours + [target.build() for _, target in config.callbacks.own]


class Report(pl.Callback):
    """Hands every finished epoch of every trial to a listener."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._seen: dict[int, int] = {}

    def on_train_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        self._seen = {trial: epochs_of(stack.records_of(trial)) for trial in range(stack.n_trials)}

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for trial, seen in self._seen.items():
            records = stack.records_of(trial)
            for epoch in range(seen, epochs_of(records)):
                self._listener(trial, mean_row(records, epoch))
            self._seen[trial] = epochs_of(records)


class Checkpoints(pl.Callback):
    """Saves `last.ckpt` at the end of an epoch, when `interval` seconds have passed since the last time."""

    def __init__(self, folder: Path, interval: float) -> None:
        self.path = folder / "last.ckpt"
        self._interval = interval
        self._saved = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        if time.monotonic() - self._saved >= self._interval:
            trainer.save_checkpoint(self.path)
            self._saved = time.monotonic()


class Progress(pl.Callback):
    """A bar over the steps of all epochs, with the last validation metrics of the first trial."""

    def on_train_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        total = stack.configs[0].trainer.max_epochs * int(trainer.num_training_batches)
        self._bar = bar_of(total=total, initial=trainer.global_step, unit="step")

    def on_train_batch_end(self, trainer: pl.Trainer, stack: pl.LightningModule, *args: Any) -> None:
        self._bar.update()

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        records = stack.records_of(0)
        row = mean_row(records, epochs_of(records) - 1)
        epochs = stack.configs[0].trainer.max_epochs
        self._bar.set_description(f"epoch {row['epoch']:.0f}/{epochs}", refresh=False)
        config = stack.configs[0]
        names = dict.fromkeys(["val/loss", f"val/{config.measured('val')[0]}", config.metric])
        self._bar.set_postfix_str(", ".join(f"{name} {shown(name, row[name])}" for name in names), refresh=False)

    def on_train_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        self._bar.close()

    def on_exception(self, trainer: pl.Trainer, stack: pl.LightningModule, exception: BaseException) -> None:
        self._bar.close()
