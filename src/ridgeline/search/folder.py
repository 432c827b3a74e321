"""A study's folder, the lock that lets one process at a time run it, and the storage that remembers its trials."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from optuna.storages import BaseStorage, JournalStorage

from ridgeline.checking import ConfigError
from ridgeline.command_line.passwords import hidden, hidden_everywhere, require_secret, revealed
from ridgeline.config import Config
from ridgeline.search.holder import HOLDER, FilePlace, held, in_words
from ridgeline.search.journal import Journal, check_lines
from ridgeline.search.patience import PatientStorage

REMOTE = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "fuse", "9p", "afs", "ocfs", "gfs")
"""Kinds of file systems that several machines may have, by how their names begin."""


def study_folder(config: Config, name: str) -> Path:
    return Path(config.runs).absolute() / "studies" / name


def job_folder(number: int) -> str:
    """Of a trial, relative to the study's folder."""
    return f"jobs/{number}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and hold it. The lock ends with its process: a trial that then is RUNNING has none any more.

    On a file system of a network such a lock may hold on one machine alone, or not be there: see `search.holder`.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"`{folder} is a folder` must hold, but it cannot be made: {error.strerror}.") from None
    place, what = FilePlace(folder / f"{HOLDER}.json"), f"The study {folder.name}"
    handle = os.open(folder, os.O_RDONLY)
    try:
        is_alone = not _is_remote(folder)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{what} is already running: {in_words(place.read() or {})}.") from error
        except OSError:  # a file system that knows no such lock
            is_alone = False
        with held(place, what, settle=not is_alone):
            yield
    finally:
        os.close(handle)
        with suppress(OSError):  # whoever was refused leaves nothing
            for path in made:
                path.rmdir()


def _is_remote(folder: Path) -> bool:
    """Whether other machines may have this folder too."""
    mounts = [mount for mount in psutil.disk_partitions(all=True) if folder.is_relative_to(mount.mountpoint)]
    kind = max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else ""
    return kind.startswith(REMOTE)


def open_storage(config: Config, folder: Path) -> BaseStorage:
    """`search.storage` (a database URL, or the path of a journal file), or the journal in the study's folder."""
    chosen = config.search.storage
    if chosen is not None and "://" in chosen:
        return _database(chosen)
    journal = Path(chosen).absolute() if chosen is not None else folder / "journal.log"
    if chosen is None:
        _mend(journal)
    # The path is absolute: Optuna's lock is a link to it, and waits for ever on a relative one.
    return JournalStorage(Journal(str(journal)))


def read_storage(config: Config, folder: Path) -> BaseStorage:
    """That of a study that exists and may be running now: nothing is made or mended. ConfigError if it is not there."""
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
    """Undo what a process killed while writing leaves: Optuna's lock, which would stall 30 s, and half a last line."""
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
