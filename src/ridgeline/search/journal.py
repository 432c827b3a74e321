"""Optuna's journal file, in which several operations may be one write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """Each write is forced to the disk, which takes longer than all else that a trial costs the search."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._held: list[dict[str, Any]] | None = None
        self._thread = threading.get_ident()  # of the one that holds; another writes at once

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        if self._held is None or threading.get_ident() != self._thread:
            super().append_logs(logs)
        else:
            self._held += logs

    def hold(self) -> None:
        """Keep what is appended; whoever reads does not see it yet."""
        self._held, self._thread = [], threading.get_ident()

    def release(self) -> None:
        """Write what was kept, as one."""
        held, self._held = self._held, None
        if held:
            super().append_logs(held)


@contextmanager
def as_one_write(storage: BaseStorage) -> Iterator[None]:
    """For operations that read nothing back. In a database each is a transaction of its own."""
    backend = storage._backend if isinstance(storage, JournalStorage) else None
    if not isinstance(backend, Journal):
        yield
        return
    backend.hold()
    try:
        yield
    finally:
        backend.release()
