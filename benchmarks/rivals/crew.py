"""Processes of rivals: they start once, wait for each go, start the clock together, and tell what they did."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from ridgeline.stack.device import give_back_memory
from rivals.workloads import Workload

EXACT, ROUNDED = "32-true", "bf16-mixed"
PATIENCE = 900
"""Seconds that a process waits for the others of its crew to have warmed up."""


@dataclass(frozen=True)
class Rival:
    """A way to train. `module` has `prepare(task) -> slice`; `options` are what it reads from `task.options`.

    On all cores: a process a core, one thread each; with `fills_gpu` one process where a GPU trains. Else one process
    with torch's default threads, or `--threads`.
    """

    key: str
    title: str
    module: str
    options: dict[str, Any] = field(default_factory=dict)
    on_all_cores: bool = False
    fills_gpu: bool = False
    workloads: tuple[str, ...] = ()
    """Names of those that it can train; none: all."""

    @property
    def base(self) -> str:
        """Its key in any precision."""
        return self.key.split()[0]

    @property
    def precision(self) -> str:
        """As in `trainer.precision`."""
        return str(self.options.get("precision", EXACT))

    def rounded_to(self, precision: str) -> Rival:
        """The same in another precision."""
        options = {**self.options, "precision": precision}
        return replace(self, key=key_of(self.key, precision), options=options)


def key_of(base: str, precision: str) -> str:
    """Of a rival in a precision."""
    return base if precision == EXACT else f"{base} {precision}"


class Clock:
    """Times one slice: `start` waits until all processes of the crew have warmed up, both until the device is idle."""

    def __init__(self, barrier: Barrier, device: str = "cpu") -> None:
        self._barrier, self._device = barrier, device
        self.started = self.stopped = self.cpu = 0.0

    def start(self) -> None:
        self._barrier.wait(PATIENCE)
        self._wait_for_device()
        self.cpu = -time.process_time()
        self.started = time.monotonic()  # counts alike in all processes

    def stop(self) -> None:
        self._wait_for_device()
        self.stopped = time.monotonic()
        self.cpu += time.process_time()

    def _wait_for_device(self) -> None:
        if self._device == "cuda":
            import torch

            torch.cuda.synchronize()


@dataclass(frozen=True)
class Task:
    """What a process works on. `folder` holds the data and the MLflow store; `index` counts the processes of a crew."""

    workload: Workload
    folder: Path
    index: int
    options: dict[str, Any]

    @property
    def device(self) -> str:
        """cpu or cuda."""
        return str(self.options.get("device", "cpu"))

    @property
    def precision(self) -> str:
        """As in `trainer.precision`."""
        return str(self.options.get("precision", EXACT))

    @property
    def k(self) -> int:
        """Trials in a stack."""
        return self.workload.k if self.device == "cpu" else self.workload.k_on_gpu


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
    """The processes of a rival, and of those that are only another way to use its module in as many processes."""

    def __init__(self, rival: Rival, folder: Path, options: dict[str, Any]) -> None:
        self._title, self._options = f"({rival.key}) {rival.title}", options
        context = SpawnContext()
        is_one = options.get("device") == "cuda" and rival.fills_gpu
        size = cores() if rival.on_all_cores and not is_one else 1
        self._barrier = context.Barrier(size)  # kept: its semaphores go when it goes
        self._connections: list[Connection] = []
        self._processes = []
        for index in range(size):
            ours, theirs = context.Pipe()
            threads = 1 if rival.on_all_cores else options["threads"]
            given = (rival.module, threads, folder, index, theirs, self._barrier)
            process = context.Process(target=_work, args=given, daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def prepare(self, rivals: Sequence[Rival], workload: Workload) -> None:
        """What `run` is then of. Does not wait."""
        options = {rival.key: {**self._options, **rival.options} for rival in rivals}
        for connection in self._connections:
            connection.send((workload, options))

    def wait_until_ready(self) -> None:
        self._receive()

    def run(self, key: str, seed: int) -> Turn:
        """One slice of a rival in every process at once."""
        for connection in self._connections:
            connection.send((key, seed))
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
                    raise CrewFailed(f"{self._title}: a process ended") from None
                waiting.remove(connection)
        return answers


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(module: str, threads: int | None, folder: Path, index: int, connection: Connection, barrier: Barrier) -> None:
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    rival = importlib.import_module(f"rivals.{module}")
    tasks, slices = dict[str, Task](), dict[str, Slice]()
    while True:
        what, how = connection.recv()
        if isinstance(what, Workload):
            slices.clear()
            give_back_memory()
            tasks = {key: Task(what, folder, index, options) for key, options in how.items()}
            slices.update({key: rival.prepare(task) for key, task in tasks.items()})
            connection.send("ready")
            continue
        _forget_peak()
        clock = Clock(barrier, tasks[what].device)
        done = slices[what](how, clock)
        times = {"started": clock.started, "stopped": clock.stopped, "cpu": clock.cpu}
        connection.send(Done(done.work, done.val_loss, **times, peak=_peak(), threads=torch.get_num_threads()))


def _forget_peak() -> None:
    """From here on; where the system cannot, the peak is that of the process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    """The largest resident set of this process, MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage may tell the parent's, which a child inherits until it outgrows it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
