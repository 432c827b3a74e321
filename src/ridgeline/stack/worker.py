"""A process that trains stacks, one after the other, and takes new fits into free slots while it trains.

It is told what to do through a pipe and hands back every epoch; it knows nothing of studies or stores.
"""

from __future__ import annotations

import ctypes
import pickle
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import pytorch_lightning as pl
import torch

from ridgeline.config import Config
from ridgeline.data import load_splits
from ridgeline.stack.callbacks import EarlyStopping, Schedules
from ridgeline.stack.fitting import build_trainer, pick_device, quiet_lightning
from ridgeline.stack.harvest import harvest
from ridgeline.stack.module import Stack
from ridgeline.stack.precision import float32_products
from ridgeline.stack.records import FitResult, Row


@dataclass(frozen=True)
class Begin:
    """Start a stack with these fits, one a slot."""

    configs: Mapping[int, Config]


@dataclass(frozen=True)
class Load:
    """Put a fit into a free slot of the running stack."""

    slot: int
    config: Config


@dataclass(frozen=True)
class Drain:
    """No more fits come: end the stack when the last one has ended."""


@dataclass(frozen=True)
class Epoch:
    """What an epoch of a stack gave: the rows of its fits by slot, and the results of those that ended."""

    rows: dict[int, Row]
    ended: dict[int, FitResult]


@dataclass(frozen=True)
class Broken:
    """An exception ended the stack; none of its fits has a result."""

    reason: str


def send(connection: Connection, message: Any) -> None:
    """Pickled as bytes: torch's own way for processes keeps a file descriptor a tensor."""
    connection.send_bytes(pickle.dumps(message))


def receive(connection: Connection) -> Any:
    return pickle.loads(connection.recv_bytes())


def work(connection: Connection) -> None:
    """The process: stacks until the pipe closes. Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        while True:
            begin = receive(connection)
            assert isinstance(begin, Begin)
            try:
                _train(connection, begin)
            except (EOFError, BrokenPipeError):
                raise
            except Exception as error:
                send(connection, Broken(f"{type(error).__name__}: {' '.join(str(error).split())}"))
    except (EOFError, BrokenPipeError):
        return


def _train(connection: Connection, begin: Begin) -> None:
    configs = [begin.configs[slot] for slot in sorted(begin.configs)]
    splits = load_splits(configs[0].data, pick_device(configs[0]))
    stack = Stack(configs, splits)
    with quiet_lightning(), float32_products(configs[0].trainer.precision):
        trainer = build_trainer(stack, [Schedules(), EarlyStopping(), Refill(connection)], max_epochs=-1)
        trainer.fit(stack)


class Refill(pl.Callback):
    """Hands every epoch over, and loads what has come into free slots. Waits only when no fit is left to train."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._handed: set[int] = set()
        self._draining = False

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        fresh = [k for k in range(len(stack.records)) if k not in self._handed]
        ended = [k for k in fresh if stack.records[k].end is not None]
        results = harvest(stack, ended) if ended else []
        rows = {k: stack.records[k].history[-1] for k in fresh}
        send(self._connection, Epoch(rows, dict(zip(ended, results, strict=True))))
        self._handed.update(ended)
        while not (self._is_idle(stack) and self._draining) and (self._is_idle(stack) or self._connection.poll()):
            message = receive(self._connection)
            if isinstance(message, Drain):
                self._draining = True
            else:
                stack.load(message.slot, message.config)
                self._handed.discard(message.slot)

    def _is_idle(self, stack: Stack) -> bool:
        return len(self._handed) == len(stack.records)


def keep_freed_memory() -> None:
    """Let glibc reuse large buffers instead of returning them: the page faults cost up to a quarter of a step."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):
        return  # another C library
