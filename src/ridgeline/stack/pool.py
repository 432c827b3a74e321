"""Workers on this machine: processes with a pipe each. They are no daemons, which may have no processes of their own:
a DataLoader of the user's may."""

from __future__ import annotations

import atexit
import multiprocessing
from collections.abc import Collection, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from ridgeline.stack.server import SERVED, start_server, without_script
from ridgeline.stack.workers import Workers

if TYPE_CHECKING:
    from ridgeline.stack.alone import Train


class Pool(Workers):
    """Forked from the server that has imported what they need."""

    def __init__(self, n: int, train: Train) -> None:
        self._train = train
        self._processes: dict[int, BaseProcess] = {}
        atexit.register(self._end)  # before Python asks them to end by a signal, and waits
        super().__init__(n)

    def _start(self, workers: Sequence[int]) -> list[Connection]:
        start_server()
        connections: list[Connection] = []
        for worker in workers:
            self._kill([self._processes[worker]] if worker in self._processes else [])
            ours, theirs = SERVED.Pipe()
            process = SERVED.Process(target=_work, args=(theirs, self._train))
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


def _work(connection: Connection, train: Train) -> None:
    multiprocessing.set_start_method(None, force=True)  # a DataLoader's processes start as in a script of the user's
    from ridgeline.stack.worker import work  # and with it Lightning, which this process does not need

    work(connection, train)
