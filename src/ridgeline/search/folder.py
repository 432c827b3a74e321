"""A study's folder, and the lock that lets one process at a time run the study."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ridgeline.checking import ConfigError
from ridgeline.config import Config
from ridgeline.search.holder import HOLDER, FilePlace, held, in_words

REMOTE = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "fuse", "9p", "afs", "ocfs", "gfs")
"""Kinds of file systems that several machines may have, by how their names begin."""


MASTER = "multirun.yaml"
"""The file in it that has what Hydra composed for the study."""


def study_folder(config: Config, name: str) -> Path:
    """Where all files of a study lie."""
    return Path(config.runs).absolute() / "studies" / name


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a study's folder, and hold it. Raises ConfigError while another process does.

    The lock ends with the process that has it. So whoever gets it knows that nobody trains the trials that are RUNNING.

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
