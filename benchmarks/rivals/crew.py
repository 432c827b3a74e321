"""A rival's processes: they start once, wait for each go, start the clock together, and tell what they did."""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from rivals.workloads import Workload

PATIENCE = 900
"""Seconds that a process waits for the others of its crew to have warmed up."""


@dataclass(frozen=True)
class Rival:
    """A way to train. `module` has `prepare(task) -> slice`; `options` are what it reads from `task.options`.

    On all cores: a process a core, one thread each. Else one process with torch's default threads, or `--threads`.
    """

    key: str
    title: str
    module: str
    options: dict[str, Any] = field(default_factory=dict)
    on_all_cores: bool = False
    workloads: tuple[str, ...] = ("digits", "mnist", "mnist-5x500")


class Clock:
    """Times one slice: `start` waits until all processes of the crew have warmed up."""

    def __init__(self, barrier: Barrier) -> None:
        self._barrier = barrier
        self.started = self.stopped = self.cpu = 0.0

    def start(self) -> None:
        self._barrier.wait(PATIENCE)
        self.cpu = -time.process_time()
        self.started = time.monotonic()  # counts alike in all processes

    def stop(self) -> None:
        self.stopped = time.monotonic()
        self.cpu += time.process_time()


@dataclass(frozen=True)
class Task:
    """What a process works on. `folder` holds the data and the MLflow store; `index` counts the processes of a crew."""

    workload: Workload
    folder: Path
    index: int
    options: dict[str, Any]


@dataclass(frozen=True)
class Done:
    """A slice of one process: `work` in trials times steps; `started`, `stopped`, `cpu` in seconds; peak RSS in MiB."""

    work: int
    val_loss: float | None
    started: float = 0.0
    stopped: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0
    threads: int = 1


Slice = Callable[[int, Clock], Done]
"""Trains one slice with a seed; starts the clock after the first epoch and stops it after the last."""


@dataclass(frozen=True)
class Turn:
    """A slice of the whole crew. `ms`: wall time by trials times steps. `peak`: MiB, summed over its processes.

    `cpu_ms`: the time of all its threads, by trials times steps; a busy machine changes it little.
    """

    ms: float
    cpu_ms: float
    val_loss: float | None
    peak: float
    threads: int


class CrewFailed(RuntimeError):
    """A process of the crew ended; its own traceback is on stderr."""


class Crew:
    """The processes of one rival on one workload."""

    def __init__(self, rival: Rival, workload: Workload, folder: Path, options: dict[str, Any]) -> None:
        self.rival = rival
        context = SpawnContext()
        size = cores() if rival.on_all_cores else 1
        self._barrier = context.Barrier(size)  # kept: its semaphores go when it goes
        self._connections: list[Connection] = []
        self._processes = []
        for index in range(size):
            ours, theirs = context.Pipe()
            task = Task(workload, folder, index, {**options, **rival.options})
            process = context.Process(target=_work, args=(rival, task, theirs, self._barrier), daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def wait_until_ready(self) -> None:
        self._receive()

    def run(self, seed: int) -> Turn:
        """One slice in every process at once."""
        for connection in self._connections:
            connection.send(seed)
        done: list[Done] = self._receive()
        seconds = max(d.stopped for d in done) - min(d.started for d in done)
        work = sum(d.work for d in done)
        losses = [d.val_loss for d in done if d.val_loss is not None]
        return Turn(
            ms=1e3 * seconds / work,
            cpu_ms=1e3 * sum(d.cpu for d in done) / work,
            val_loss=sum(losses) / len(losses) if losses else None,
            peak=sum(d.peak for d in done),
            threads=sum(d.threads for d in done),
        )

    def dismiss(self) -> None:
        """End the processes: what they made is worthless, and their own way out takes seconds."""
        for process in self._processes:
            process.terminate()
        for process, connection in zip(self._processes, self._connections, strict=True):
            process.join()
            connection.close()

    def _receive(self) -> list[Any]:
        answers: list[Any] = []
        waiting = list(self._connections)
        while waiting:
            for connection in wait(waiting):
                assert isinstance(connection, Connection)
                try:
                    answers.append(connection.recv())
                except EOFError:
                    raise CrewFailed(f"({self.rival.key}) {self.rival.title}: a process ended") from None
                waiting.remove(connection)
        return answers


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(rival: Rival, task: Task, connection: Connection, barrier: Barrier) -> None:
    import torch

    threads = 1 if rival.on_all_cores else task.options["threads"]
    if threads is not None:
        torch.set_num_threads(threads)
    train: Slice = importlib.import_module(f"rivals.{rival.module}").prepare(task)
    connection.send("ready")
    while True:
        seed = connection.recv()
        clock = Clock(barrier)
        done = train(seed, clock)
        times = {"started": clock.started, "stopped": clock.stopped, "cpu": clock.cpu}
        connection.send(Done(done.work, done.val_loss, **times, peak=_peak(), threads=torch.get_num_threads()))


def _peak() -> float:
    """The largest resident set of this process so far, MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage may tell the parent's, which a child inherits until it outgrows it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
