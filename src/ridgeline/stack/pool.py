"""Worker processes with a pipe each."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from ridgeline.config import Config
from ridgeline.stack.messages import Answer, Begin, Drain, Gone, Load, Stop, receive, send
from ridgeline.stack.server import SERVED, start_server


class Pool:
    """`n` processes, each of which trains one stack at a time."""

    def __init__(self, n: int) -> None:
        started = [_start() for _ in range(n)]
        self._connections = [connection for connection, _ in started]
        self._processes = [process for _, process in started]
        self._gone: set[int] = set()

    def __len__(self) -> int:
        return len(self._processes)

    def begin(self, worker: int, configs: Mapping[int, Config]) -> None:
        """Start a stack with these fits, by number, in its slots from 0 on. A process that is gone is replaced."""
        if not self._processes[worker].is_alive():
            self._connections[worker].close()
            self._connections[worker], self._processes[worker] = _start()
            self._gone.discard(worker)
        self._send(worker, Begin(configs))

    def load(self, worker: int, slot: int, number: int, config: Config) -> None:
        """Put a fit into a slot, whatever trains there."""
        self._send(worker, Load(slot, number, config))

    def stop(self, worker: int, slot: int) -> None:
        """Give up the fit in a slot."""
        self._send(worker, Stop(slot))

    def drain(self, worker: int) -> None:
        """The running stack gets no more fits."""
        self._send(worker, Drain())

    def receive(self) -> list[tuple[int, Answer]]:
        """What the workers said, by worker; waits for at least one. Each says once if it is gone."""
        alive = {c: worker for worker, c in enumerate(self._connections) if worker not in self._gone}
        messages: list[tuple[int, Answer]] = []
        for connection in wait(list(alive)):
            assert isinstance(connection, Connection)
            worker = alive[connection]
            try:
                messages.append((worker, receive(connection)))
            except (EOFError, ConnectionError):
                self._gone.add(worker)
                self._processes[worker].join()
                code = self._processes[worker].exitcode
                messages.append((worker, Gone(f"the worker process ended with exit code {code}")))
        return sorted(messages, key=lambda message: message[0])

    def close(self) -> None:
        """End the processes, whatever they do."""
        for connection, process in zip(self._connections, self._processes, strict=True):
            connection.close()
            process.terminate()
        for process in self._processes:
            process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, worker: int, message: Begin | Load | Stop | Drain) -> None:
        try:
            send(self._connections[worker], message)
        except (BrokenPipeError, ConnectionError):
            return  # `receive` says that the process is gone


def _start() -> tuple[Connection, BaseProcess]:
    start_server()
    ours, theirs = SERVED.Pipe()
    process = SERVED.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _work(connection: Connection) -> None:
    from ridgeline.stack.worker import work  # and with it Lightning, which this process does not need

    work(connection)
