"""The storage that remembers a study's trials: a journal in the study's folder, a journal of the user's, a database."""

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
from ridgeline.command_line.passwords import hidden, hidden_everywhere, require_secret, revealed
from ridgeline.config import Config
from ridgeline.search.patience import PatientStorage


def open_storage(config: Config, folder: Path) -> BaseStorage:
    """The storage that `search.storage` names, by a URL or the path of a journal; else the journal in the study's
    folder."""
    chosen = config.search.storage
    if chosen is not None and "://" in chosen:
        return _database(chosen)
    journal = Path(chosen).absolute() if chosen is not None else folder / "journal.log"
    if chosen is None:
        _mend(journal)
    # The path is absolute: Optuna's lock is a link to it, and waits for ever on a relative one.
    return JournalStorage(Journal(str(journal)))


def read_storage(config: Config, folder: Path) -> BaseStorage:
    """The storage of a study that exists and may be running now, so nothing is made or mended. ConfigError if there is
    none."""
    chosen = config.search.storage
    if chosen is not None and "://" in chosen:
        return _database(chosen)
    journal = Path(chosen).absolute() if chosen is not None else folder / "journal.log"
    if not journal.is_file():
        raise ConfigError(f"The study {folder.name} has no trials here: there is no {journal}.")
    return JournalStorage(Journal(str(journal)))


def check_storage(config: Config) -> None:
    """Raise ConfigError unless `search.storage` is there. A database gets its tables; a journal is not touched."""
    chosen = config.search.storage
    if chosen is None:
        return
    if "://" in chosen:
        _database(chosen)
    elif not Path(chosen).absolute().parent.is_dir():
        raise ConfigError(f"`the folder of search.storage exists` must hold, but got search.storage={chosen}.")


def _database(url: str) -> BaseStorage:
    require_secret("search.storage", url)
    try:
        return PatientStorage(revealed(url))
    except Exception as error:  # SQLAlchemy, its drivers and Optuna each raise their own
        reason = hidden_everywhere(hidden(str(error))).strip().split("\n")[0]
        rule = "search.storage can be opened"
        raise ConfigError(f"`{rule}` must hold, but got search.storage={hidden(url)}: {reason}") from error


def _mend(journal: Path) -> None:
    """Undo what a process leaves that is killed while it writes: Optuna's lock, which would stall 30 s, and half a
    line."""
    Path(f"{journal}.lock").unlink(missing_ok=True)
    if not journal.exists():
        return
    with journal.open("rb+") as file:
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        file.truncate(len(whole))
    try:  # Optuna finds out about the last line when another one follows
        json.loads(whole[:-1].rpartition(b"\n")[2] or b"{}")
    except ValueError:
        check_lines(journal)


class Journal(JournalFileBackend):
    """Optuna's journal file, in which several operations may be one write.

    For each write is forced to the disk, which takes longer than all else that a trial costs the search.
    """

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
        """From now on keep what is appended, so that nobody reads it yet."""
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
    """Let the operations inside, which must read nothing back, be one write to a journal. A database writes each."""
    backend = storage._backend if isinstance(storage, JournalStorage) else None
    if not isinstance(backend, Journal):
        yield
        return
    backend.hold()
    try:
        yield
    finally:
        backend.release()
