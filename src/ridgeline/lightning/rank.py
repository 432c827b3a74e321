"""One of the processes that train a module together: each has a copy of it and a share of each batch.

What they agree on goes through torch's process group, which they are in for as long as a training lasts. In a training
of one process there is none, and each of these functions gives back what it is given.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from ridgeline.stack.records import Row


@dataclass(frozen=True)
class Rank:
    """The `number`-th of `n`, from 0 on. They find each other by a file in the folder `meeting`."""

    number: int
    n: int
    meeting: Path


def environment(package: Any, rank: Rank | None) -> Any:
    """What tells a Trainer of this package that it is one of several, all of which have been started; or alone."""
    base = __import__(f"{package.__name__}.plugins.environments", fromlist=["LightningEnvironment"])
    if rank is None:
        return base.LightningEnvironment()
    started = type("Started", (_Started, base.LightningEnvironment), {})()
    started.rank = rank
    return started


@contextmanager
def joined(rank: Rank | None, device: torch.device) -> Iterator[None]:
    """With the others, on the loopback: what they say to each other does not leave the machine."""
    if rank is None:
        yield
        return
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, _loopback())
    backend, file = "nccl" if device.type == "cuda" else "gloo", f"file://{rank.meeting.absolute()}/group"
    distributed.init_process_group(backend, init_method=file, rank=rank.number, world_size=rank.n)
    try:
        yield
    finally:
        distributed.destroy_process_group()


class _Started:
    """The methods of a ClusterEnvironment."""

    rank: Rank

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def world_size(self) -> int:
        return self.rank.n

    def global_rank(self) -> int:
        return self.rank.number

    def local_rank(self) -> int:
        return self.rank.number

    def set_world_size(self, size: int) -> None:
        """Nothing: it is known."""

    def set_global_rank(self, rank: int) -> None:
        """Nothing: it is known."""


def this_rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first() -> bool:
    return this_rank() == 0


def of_first(value: Any) -> Any:
    """What the first of them has."""
    values = [value]
    if distributed.is_initialized():
        distributed.broadcast_object_list(values)
    return values[0]


def of_each(value: Any) -> list[Any]:
    """What each of them has, in their order."""
    values = [value]
    if distributed.is_initialized():
        values = [None] * distributed.get_world_size()
        distributed.all_gather_object(values, value)
    return values


def mean_of(rows: Sequence[Row]) -> Row:
    """The mean of each number over those that have it. What was logged with `sync_dist=True` is the same in each."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: math.fsum(known) / len(known) for name in names if (known := [r[name] for r in rows if name in r])}


def is_about_others(failure: str) -> bool:
    """Whether a failure says no more than that another process is gone."""
    return any(word in failure for word in ("gloo", "NCCL", "Connection closed", "Connection reset", "ProcessGroup"))


def _loopback() -> str:
    """The name of the interface."""
    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in names if name.startswith("lo")), names[0])
