"""Optuna's journal file, in which several operations may be one write."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from ridgeline.checking import ConfigError


class Journal(JournalFileBackend):
    """Each write is forced to the disk, which takes longer than all else that a trial costs the search."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._held: list[dict[str, Any]] | None = None
        self._thread = threading.get_ident()  # of the one that holds; another writes at once

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Optuna's lines from that one on. Raises ConfigError, one line, where one is none of Optuna's."""
        try:
            for log in super().read_logs(log_number_from):
                _refuse_other(log)
                yield log
        except ValueError:
            check_lines(Path(self._file_path))
            raise

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


def check_lines(journal: Path) -> None:
    """Raise ConfigError unless each line but the last, which may be half-written, is one of Optuna's."""
    *lines, _ = journal.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            _refuse_other(json.loads(line))
        except ValueError:
            what = "an operation of Optuna's"
            raise ConfigError(f"`line {number} of {journal} is {what}` must hold, but it cannot be read.") from None


def _refuse_other(log: object) -> None:
    if not (isinstance(log, dict) and "op_code" in log):
        raise ValueError("no operation of Optuna's")


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
