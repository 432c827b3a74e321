"""Worker processes with a connection each; how they are started and ended is for a subclass to say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Self

from ridgeline.config import Config
from ridgeline.data import describe
from ridgeline.processes import receive, send
from ridgeline.stack.messages import Answer, Begin, Drain, Gone, Load, Lost, Stop


class Workers(ABC):
    """`n` processes, each of which trains one stack at a time."""

    def __init__(self, n: int) -> None:
        self._connections = self._start(range(n))
        self._gone: set[int] = set()

    @abstractmethod
    def _start(self, workers: Sequence[int]) -> list[Connection]:
        """Start the processes of these workers; a connection to each."""

    @abstractmethod
    def _is_alive(self, worker: int) -> bool: ...

    @abstractmethod
    def _last_word(self, worker: int) -> str:
        """How the process of a worker ended whose connection is lost."""

    @abstractmethod
    def _end(self) -> None:
        """End the processes, whatever they do; their connections are closed."""

    def __len__(self) -> int:
        return len(self._connections)

    def begin(self, worker: int, configs: Mapping[int, Config]) -> None:
        """Start a stack with these fits, by number, in its slots from 0 on. A process that is gone is replaced."""
        if worker in self._gone or not self._is_alive(worker):
            self._connections[worker].close()
            (self._connections[worker],) = self._start([worker])
            self._gone.discard(worker)
        data = next(iter(configs.values())).data
        self._send(worker, Begin(configs, describe(data).hash if data.source is not None else None))

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
                if isinstance(messages[-1][1], Lost):  # it ends by itself
                    self._gone.add(worker)
            except (EOFError, OSError):  # a machine that is off says nothing: its connection times out
                self._gone.add(worker)
                messages.append((worker, Gone(self._last_word(worker))))
        return sorted(messages, key=lambda message: message[0])

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, worker: int, message: Begin | Load | Stop | Drain) -> None:
        try:
            send(self._connections[worker], message)
        except OSError:
            return  # `receive` says that the process is gone
