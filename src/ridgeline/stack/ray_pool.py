"""Workers on a Ray cluster. Ray chooses where each runs and gives it a core or a GPU; it connects back by itself.

So the messages are those of the workers of one machine, over TCP. A worker that is gone is no task that Ray tries
again: the stream knows what to train anew.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import socket
import threading
from collections.abc import Sequence
from multiprocessing.connection import Client, Connection, Listener
from typing import TYPE_CHECKING, Any

from ridgeline.processes import receive, send
from ridgeline.stack.ray_cluster import connect
from ridgeline.stack.workers import Workers

if TYPE_CHECKING:
    from ridgeline.stack.alone import Train

LOOPBACK = "127.0.0.1"
PATIENCE = 30
"""Seconds after which a line says that workers are waited for."""

log = logging.getLogger(__name__)


class RayPool(Workers):
    """Each holds `each` cores of the cluster, or so many GPUs and the cores that drive them."""

    def __init__(self, n: int, train: Train, address: str | None = None, *, gpu: bool = False, each: int = 1) -> None:
        self._train, self._each = train, each
        self._is_ours = connect(address, cores=n * each)
        import ray

        self._ray, self._gpu = ray, gpu
        host = LOOPBACK if address is None else ray.util.get_node_ip_address()
        self._key = secrets.token_bytes(32)
        self._listener = Listener((host, 0), backlog=n, authkey=self._key)
        self._is_closed = False
        self._arrived: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        threading.Thread(target=self._accept, daemon=True).start()
        self._tasks: dict[int, Any] = {}
        self._hosts: dict[int, str] = {}
        self._processes: dict[int, int] = {}
        super().__init__(n)

    def _start(self, workers: Sequence[int]) -> list[Connection]:
        options = {"num_cpus": self._each, "num_gpus": self._each * self._gpu, "max_retries": 0}
        task = self._ray.remote(**options)(_work)
        for worker in workers:
            given = (self._listener.address, self._key, worker, os.getcwd(), self._gpu, self._train)
            self._tasks[worker] = task.remote(*given)
        connections: dict[int, Connection] = {}
        waited = 0
        while len(connections) < len(workers):
            try:
                connection = self._arrived.get(timeout=1)
            except queue.Empty:
                waited += 1
                self._look_after([worker for worker in workers if worker not in connections], waited)
                continue
            worker, self._hosts[worker], self._processes[worker] = receive(connection)
            connections[worker] = connection
        return [connections[worker] for worker in workers]

    def _look_after(self, missing: Sequence[int], waited: int) -> None:
        """Raise what kept a worker from coming; else say once what is waited for."""
        ended, _ = self._ray.wait([self._tasks[worker] for worker in missing], timeout=0)
        if ended:
            self._ray.get(ended[0])
        if waited == PATIENCE:
            device = "GPU" if self._gpu else "core"
            log.warning(
                f"{len(missing)} workers are not there yet: Ray starts them when a {device} of its cluster is free."
            )

    def _is_alive(self, worker: int) -> bool:
        return worker not in self._gone

    def _last_word(self, worker: int) -> str:
        return f"the Ray worker on {self._hosts[worker]}, process {self._processes[worker]}, is gone"

    def _end(self) -> None:
        self._is_closed = True
        self._listener.close()
        for task in self._tasks.values():
            self._ray.cancel(task, force=True)
        if self._is_ours:
            self._ray.shutdown()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except Exception:  # of whoever has not the key, unless the listener is closed
                if self._is_closed:
                    return
                continue
            _tune(connection)
            self._arrived.put(connection)


def _tune(connection: Connection) -> None:
    """Small messages go at once, and a machine that is off is noticed after a minute."""
    with socket.socket(fileno=os.dup(connection.fileno())) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _work(address: tuple[str, int], key: bytes, worker: int, folder: str, gpu: bool, train: Train) -> None:
    """The task: connects before it imports for seconds, so that a lost worker is told from a slow one."""
    if not gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if os.path.isdir(folder):  # relative paths of data
        os.chdir(folder)
    with Client(address, authkey=key) as connection:
        assert isinstance(connection, Connection)
        _tune(connection)
        send(connection, (worker, socket.gethostname(), os.getpid()))
        from ridgeline.stack.worker import work

        work(connection, train)
