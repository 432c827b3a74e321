"""Processes that train a module together are started here, listened to, and ended, all of them, whatever happens.

The process that starts them trains nothing, so that it is free to end a training of which a part is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ridgeline.lightning.rank import Rank
from ridgeline.processes import SERVED, receive, send, start_server, without_script
from ridgeline.stack.interrupts import leave_to_parent
from ridgeline.target import reason

Ask = Callable[[Any], Any]
Work = Callable[[Rank, Ask], Any]
"""What each process does. It may ask the process that started it, which answers."""

GRACE = 30.0
"""Seconds that the others have to end by themselves when the first has ended, or one has failed."""


@dataclass(frozen=True)
class NoAnswer:
    """Why there is no answer of a process, in one line."""

    reason: str


@dataclass(frozen=True)
class _Answer:
    value: Any


def on_ranks(n: int, work: Work, hear: Ask) -> list[Any]:
    """What each of `n` processes gives back, or NoAnswer. `hear` gets what they ask, and gives the answer."""
    with tempfile.TemporaryDirectory(prefix="ridgeline_") as meeting, _Ranks(n, work, Path(meeting)) as ranks:
        return ranks.answers(hear)


class _Ranks:
    """The processes. Each has two pipes: one for what is said, and one that closes when their parent ends, even by a
    signal that it cannot catch."""

    def __init__(self, n: int, work: Work, meeting: Path) -> None:
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection] = []
        self._lifelines: list[Connection] = []
        start_server()
        try:
            for number in range(n):
                self._start(Rank(number, n, meeting), work)
        except BaseException:
            self.end()
            raise

    def _start(self, rank: Rank, work: Work) -> None:
        ours, theirs = SERVED.Pipe()
        held, lifeline = SERVED.Pipe(duplex=False)
        self._connections.append(ours)
        self._lifelines.append(lifeline)
        process = SERVED.Process(target=_work, args=(theirs, held, rank, work))
        with without_script():
            process.start()
        self._processes.append(process)
        theirs.close()
        held.close()

    def answers(self, hear: Ask) -> list[Any]:
        found: dict[int, Any] = {}
        until: float | None = None
        while len(found) < len(self._connections):
            open_ = {own: number for number, own in enumerate(self._connections) if number not in found}
            ready = wait(list(open_), None if until is None else max(0.0, until - time.monotonic()))
            if not ready:
                break
            number = min(open_[own] for own in ready if isinstance(own, Connection))  # of the first above all
            message = self._from(number)
            if isinstance(message, (_Answer, NoAnswer)):
                found[number] = message.value if isinstance(message, _Answer) else message
                if until is None and (number == 0 or isinstance(found[number], NoAnswer)):
                    until = time.monotonic() + GRACE
            else:
                send(self._connections[number], hear(message))
        silent = NoAnswer("it did not end with the others")
        return [found.get(number, silent) for number in range(len(self._connections))]

    def _from(self, number: int) -> Any:
        try:
            return receive(self._connections[number])
        except (EOFError, OSError):
            self._processes[number].join()
            return NoAnswer(f"the process of device {number} ended with exit code {self._processes[number].exitcode}")

    def end(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for connection in (*self._connections, *self._lifelines):
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _work(connection: Connection, lifeline: Connection, rank: Rank, work: Work) -> None:
    leave_to_parent()
    multiprocessing.set_start_method(None, force=True)  # a DataLoader's processes start as in a script of the user's
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()

    def ask(message: Any) -> Any:
        send(connection, message)
        return receive(connection)

    try:
        answer: Any = work(rank, ask)
    except Exception as error:
        answer = NoAnswer(reason(error))
    send(connection, _Answer(answer))


def _end_with_parent(lifeline: Connection) -> None:
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
