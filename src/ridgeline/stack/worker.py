"""A process that trains stacks, one after the other, and takes new fits into free slots while it trains.

It is told what to do through a pipe and hands back every epoch; it knows nothing of studies or stores.
"""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection

import pytorch_lightning as pl
import torch

from ridgeline.data import load_splits, require_same
from ridgeline.processes import receive, send
from ridgeline.stack.alone import Alone, Train
from ridgeline.stack.callbacks import make_callbacks
from ridgeline.stack.collect import collect
from ridgeline.stack.device import give_back_memory, is_lost, is_out_of_memory, keep_freed_memory, pick_device
from ridgeline.stack.fitting import build_trainer, quiet_lightning
from ridgeline.stack.folds import epochs_of, mean_row
from ridgeline.stack.interrupts import leave_to_parent
from ridgeline.stack.messages import Begin, Broken, Drain, Epoch, Load, Lost, Stop, TooLarge
from ridgeline.stack.module import Stack
from ridgeline.stack.precision import float32_products, no_denormals


def work(connection: Connection, train: Train) -> None:
    """The process: stacks until the pipe closes. `train` is for fits that train alone."""
    leave_to_parent()
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        while True:
            message = receive(connection)
            if isinstance(message, Begin):  # anything else was meant for a stack that is gone
                _answer(connection, message, train)
    except (EOFError, BrokenPipeError):
        return


def _answer(connection: Connection, begin: Begin, train: Train) -> None:
    alone = next(iter(begin.configs.values())).trains_alone
    slots = Alone(connection, begin, train) if alone else Refill(connection, list(begin.configs))
    try:
        if isinstance(slots, Alone):
            slots.run()
        else:
            _train(begin, slots)
        return
    except (EOFError, BrokenPipeError):
        raise
    except Exception as error:
        failure = _failure(error)
    is_awaited = not slots.is_done
    if isinstance(failure, Lost):
        if is_awaited:
            send(connection, failure)
        os._exit(1)  # at once: whatever ends in order would ask the device
    if not is_awaited:
        return
    give_back_memory()  # here, for while the exception was handled its traceback held the stack
    send(connection, failure)


def _failure(error: Exception) -> Broken | TooLarge:
    if is_lost(error):  # torch adds lines of advice
        return Lost(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return TooLarge(reason) if is_out_of_memory(error) else Broken(reason)


def _train(begin: Begin, refill: Refill) -> None:
    configs = list(begin.configs.values())
    splits = load_splits(configs[0].data, pick_device(configs[0]))
    require_same(splits.description, begin.data)
    stack = Stack(configs, splits)
    with quiet_lightning(), no_denormals(), float32_products(configs[0].trainer.precision):
        trainer = build_trainer(stack, [*make_callbacks(configs[0]), refill], max_epochs=-1)
        trainer.fit(stack)


class Refill(pl.Callback):
    """Hands every epoch over, and loads what has come into free slots. Waits only when no fit is left to train.

    A slot here, as for whoever sends, is the place of a trial: of all its folds.
    """

    def __init__(self, connection: Connection, numbers: list[int]) -> None:
        self._connection = connection
        self._numbers = numbers
        self._busy = set(range(len(numbers)))
        self._draining = False
        self._idle = 0.0

    @property
    def is_done(self) -> bool:
        """Whether every result is handed over, and no fit can come."""
        return self._draining and not self._busy

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        busy = sorted(self._busy)
        records = {slot: stack.records_of(slot) for slot in busy}
        rows = {self._numbers[slot]: mean_row(folds, epochs_of(folds) - 1) for slot, folds in records.items()}
        ended = [slot for slot, folds in records.items() if all(record.end is not None for record in folds)]
        results = collect(stack, ended) if ended else []
        send(
            self._connection,
            Epoch(rows, {self._numbers[k]: result for k, result in zip(ended, results, strict=True)}, self._idle),
        )
        self._busy.difference_update(ended)
        self._idle = 0.0
        while not self.is_done and (not self._busy or self._connection.poll()):
            started, is_idle = time.monotonic(), not self._busy
            message = receive(self._connection)
            self._idle += time.monotonic() - started if is_idle else 0.0
            if isinstance(message, Drain):
                self._draining = True
            elif isinstance(message, Stop):
                for record in stack.records_of(message.slot):
                    record.end = "pruned"
                self._busy.discard(message.slot)
            elif isinstance(message, Load):
                stack.load(message.slot, message.config)
                self._numbers[message.slot] = message.number
                self._busy.add(message.slot)
