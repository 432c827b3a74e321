"""Fits that take a Trainer of their own, one after the other, in a worker: those with a callback of the user's.

Its hooks then see one training from its beginning to its end, and `trainer.callback_metrics` are those of its fit.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytorch_lightning as pl

from ridgeline.config import Config
from ridgeline.data import load_splits, require_same
from ridgeline.processes import receive, send
from ridgeline.stack.device import pick_device
from ridgeline.stack.fitting import fit
from ridgeline.stack.messages import Begin, Drain, Epoch, Load, Stop
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitResult, Row

Train = Callable[[Config, Callable[[Row], bool], str | None], FitResult]
"""Trains a fit, of which each epoch is handed over when the next begins, for only then it is known whether a callback
ended the training; what comes back says whether to train that. The last argument is the hash of its data."""


class Alone:
    """The one slot."""

    def __init__(self, connection: Connection, begin: Begin, train: Train) -> None:
        (first,) = begin.configs.items()
        self._coming: tuple[int, Config] | None = first
        self._connection, self._data, self._train_fit = connection, begin.data, train
        self._draining = self._is_given_up = False
        self._number = self._told = 0
        self._idle = 0.0

    @property
    def is_done(self) -> bool:
        """Whether every result is handed over, and no fit can come."""
        return self._draining and self._coming is None

    def run(self) -> None:
        """Until no fit comes any more."""
        while not self.is_done:
            if self._coming is None:
                began = time.monotonic()
                message = receive(self._connection)
                self._idle += time.monotonic() - began
                self._take(message)
            else:
                self._train(*self._coming)

    def _go_on(self, row: Row) -> bool:
        self._told += 1
        self._send(Epoch({self._number: row}, {}, self._idle))
        while self._connection.poll():
            self._take(receive(self._connection))
        return not self._is_given_up

    def _train(self, number: int, config: Config) -> None:
        self._number, self._coming, self._told, self._is_given_up = number, None, 0, False
        trainer = dataclasses.replace(config.trainer, num_threads=1, enable_progress_bar=False, ckpt_path=None)
        result = self._train_fit(dataclasses.replace(config, trainer=trainer), self._go_on, self._data)
        if not self._is_given_up:
            last = result.history[self._told :]  # none where it failed within an epoch
            rows = {number: last[0]} if last else {}
            self._send(Epoch(rows, {number: dataclasses.replace(result, config=config)}, self._idle))

    def _take(self, message: object) -> None:
        if isinstance(message, Drain):
            self._draining = True
        elif isinstance(message, (Stop, Load)):  # what trains, if anything does, is given up
            self._is_given_up = True
            self._coming = (message.number, message.config) if isinstance(message, Load) else None

    def _send(self, epoch: Epoch) -> None:
        send(self._connection, epoch)
        self._idle = 0.0


def train_stack_of_one(config: Config, go_on: Callable[[Row], bool], data: str | None) -> FitResult:
    """A fit with a callback of the user's own."""
    splits = load_splits(config.data, pick_device(config))
    require_same(splits.description, data)
    (result,) = fit([config], splits, watchers=[EachEpoch(go_on)])
    return result


class EachEpoch(pl.Callback):
    """Hands each epoch over, and ends the training where it is told to."""

    def __init__(self, go_on: Callable[[Row], bool]) -> None:
        self._go_on, self._told = go_on, 0

    def on_train_epoch_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        (record,) = stack.records
        if record.epoch > self._told and record.end is None:
            self._told = record.epoch
            if not self._go_on(record.history[-1]):
                record.end, trainer.should_stop = "pruned", True
