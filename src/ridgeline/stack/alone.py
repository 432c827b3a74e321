"""Fits that take a Trainer of their own, one after the other, in a worker: those with a callback of the user's.

Its hooks then see one training from its beginning to its end, and `trainer.callback_metrics` are those of its fit.
"""

from __future__ import annotations

import dataclasses
import time
from multiprocessing.connection import Connection

import pytorch_lightning as pl

from ridgeline.config import Config
from ridgeline.data import load_splits, require_same
from ridgeline.stack.device import pick_device
from ridgeline.stack.fitting import fit
from ridgeline.stack.messages import Begin, Drain, Epoch, Load, Stop, receive, send
from ridgeline.stack.module import Stack


class Alone(pl.Callback):
    """The one slot. An epoch is handed over when the next begins, or when the training has ended: only then it is known
    whether a callback stopped it."""

    def __init__(self, connection: Connection, begin: Begin) -> None:
        (first,) = begin.configs.items()
        self._coming: tuple[int, Config] | None = first
        self._connection, self._data = connection, begin.data
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

    def on_train_epoch_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        (record,) = stack.records
        if record.epoch > self._told and record.end is None:
            self._told = record.epoch
            self._send(Epoch({self._number: record.history[-1]}, {}, self._idle))
        while self._connection.poll():
            self._take(receive(self._connection))
        if self._is_given_up:
            record.end, trainer.should_stop = "pruned", True

    def _train(self, number: int, config: Config) -> None:
        self._number, self._coming, self._told, self._is_given_up = number, None, 0, False
        trainer = dataclasses.replace(config.trainer, num_threads=1, enable_progress_bar=False, ckpt_path=None)
        splits = load_splits(config.data, pick_device(config))
        require_same(splits.description, self._data)
        (result,) = fit([dataclasses.replace(config, trainer=trainer)], splits, watchers=[self])
        if not self._is_given_up:
            ended = dataclasses.replace(result, config=config)
            self._send(Epoch({number: result.history[-1]}, {number: ended}, self._idle))

    def _take(self, message: object) -> None:
        if isinstance(message, Drain):
            self._draining = True
        elif isinstance(message, (Stop, Load)):  # what trains, if anything does, is given up
            self._is_given_up = True
            self._coming = (message.number, message.config) if isinstance(message, Load) else None

    def _send(self, epoch: Epoch) -> None:
        send(self._connection, epoch)
        self._idle = 0.0
