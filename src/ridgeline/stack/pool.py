"""Workers on this machine: processes with a pipe each. They are no daemons, which may have no processes of their own:
a DataLoader of the user's may."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Collection, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from ridgeline.processes import SERVED, start_server, without_script
from ridgeline.stack.workers import Workers

if TYPE_CHECKING:
    from ridgeline.stack.alone import Train


VISIBLE = "CUDA_VISIBLE_DEVICES"


class Pool(Workers):
    """Forked from the server that has imported what they need. `gpus`: how many they share, `each` of
    them so many in turn."""

    def __init__(self, n: int, train: Train, *, gpus: int = 0, each: int = 1) -> None:
        self._train, self._each = train, each
        self._gpus = visible_gpus(gpus, os.environ.get(VISIBLE))
        self._processes: dict[int, BaseProcess] = {}
        atexit.register(self._end)  # before Python asks them to end by a signal, and waits
        super().__init__(n)

    def _start(self, workers: Sequence[int]) -> list[Connection]:
        start_server()
        connections: list[Connection] = []
        for worker in workers:
            self._kill([self._processes[worker]] if worker in self._processes else [])
            ours, theirs = SERVED.Pipe()
            process = SERVED.Process(target=_work, args=(theirs, self._train, gpus_of(worker, self._gpus, self._each)))
            with without_script():
                process.start()
            self._processes[worker] = process  # now that it is one: Ctrl-C may come at any moment
            theirs.close()
            connections.append(ours)
        return connections

    def _is_alive(self, worker: int) -> bool:
        return self._processes[worker].is_alive()

    def _last_word(self, worker: int) -> str:
        self._processes[worker].join()
        return f"the worker process ended with exit code {self._processes[worker].exitcode}"

    def _end(self) -> None:
        atexit.unregister(self._end)
        self._kill(self._processes.values())

    def _kill(self, processes: Collection[BaseProcess]) -> None:
        """A worker leaves all other signals to its parent, and holds nothing that would be lost."""
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


def visible_gpus(n: int, given: str | None) -> list[str]:
    """What CUDA calls the first `n` GPUs that this process may use, of which `given` is the list, if there is one."""
    names = [str(i) for i in range(n)] if given is None else [name.strip() for name in given.split(",")]
    return names[:n]


def gpus_of(worker: int, names: Sequence[str], each: int) -> str | None:
    """Those that a worker has to itself, as CUDA is told; None: it is told nothing."""
    first = worker % max(1, len(names) // each) * each
    return ",".join(names[first : first + each]) if names else None


def _work(connection: Connection, train: Train, gpu: str | None) -> None:
    if gpu is not None:
        os.environ[VISIBLE] = gpu  # before CUDA is asked anything in this process
    multiprocessing.set_start_method(None, force=True)  # a DataLoader's processes start as in a script of the user's
    from ridgeline.stack.worker import work  # and with it Lightning, which this process does not need

    work(connection, train)
