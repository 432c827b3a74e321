"""The cache: files that can be made again from others, and are kept because that takes long. It may be deleted whole;
what nobody has used for 90 days is deleted when something new is kept.

What is in it is there as a whole or not at all, whoever is killed and however many ask at once.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ridgeline.checking import ConfigError

VARIABLE = "RIDGELINE_CACHE"
DRAFT = ".part"
MANIFEST = "files.json"
"""The files of a folder with their sizes and times: it is written last, and its own time says when the folder was used
last."""
UNUSED = 90 * 24 * 3600
"""Seconds after which a folder that nobody has used is deleted, when another is made beside it."""


def cache_folder() -> Path:
    """What the environment says, or the user's own folder for such files."""
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return Path(given).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("ridgeline"))


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, which `make` fills with files if it is not there, or not as it was made. Raises ConfigError where it
    cannot be written.

    One process makes it, and others wait. It is made under another name, so that nobody sees half of it.
    """
    if is_whole(folder):
        with suppress(OSError):  # somebody else's folder, which one may read
            os.utime(folder / MANIFEST)
        return folder
    with refusing(), _alone(folder) as is_alone:
        if not is_whole(folder):
            if is_alone:
                _sweep(folder)
                _forget_unused(folder)
            draft = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}{DRAFT}")
            draft.mkdir()
            try:
                make(draft)
                (draft / MANIFEST).write_text(json.dumps(_files(draft)))
                shutil.rmtree(folder, ignore_errors=True)
                os.rename(draft, folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return folder


def is_whole(folder: Path) -> bool:
    """Whether the files are those that were written, and nobody has written into them since."""
    try:
        return bool(json.loads((folder / MANIFEST).read_text()) == _files(folder))
    except (OSError, ValueError):
        return False


def require_space(folder: Path, size: int) -> None:
    """Raise OSError where so many bytes have no room beside what is there."""
    free = shutil.disk_usage(folder).free
    if free < size:
        detail = f"{size / 2**30:,.1f} GiB are needed, and {free / 2**30:,.1f} GiB are free"
        raise OSError(errno.ENOSPC, detail)


@contextmanager
def refusing() -> Iterator[None]:
    """Give an error of the disk the variable that names another place."""
    try:
        yield
    except OSError as error:
        rule = f"{VARIABLE} is a folder that can be written"
        raise ConfigError(
            f"`{rule}` must hold, but got {VARIABLE}={cache_folder()}: {error.strerror or error}."
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Wait until no other process makes this folder; False where the file system knows no such lock.

    Whoever is killed holds it no longer.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock_of(folder.name, folder.parent).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True


def _lock_of(name: str, parent: Path) -> Path:
    return parent / f"{name}.lock"


def _sweep(own: Path) -> None:
    """Delete the drafts of processes that were killed, those of this folder and of others."""
    for draft in own.parent.glob(f"*{DRAFT}"):
        name = draft.name.partition(".")[0]
        with suppress(OSError), _lock_of(name, own.parent).open("w") as lock:
            if name != own.name:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(draft, ignore_errors=True)


def _forget_unused(own: Path) -> None:
    """Delete the folders beside this one that nobody has used for long. Who has mapped a file of them keeps it."""
    for manifest in own.parent.glob(f"*/{MANIFEST}"):
        with suppress(OSError), _lock_of(manifest.parent.name, own.parent).open("w") as lock:
            if manifest.parent != own and manifest.stat().st_mtime < time.time() - UNUSED:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                manifest.unlink()  # first, so that nobody takes what is left for whole
                shutil.rmtree(manifest.parent, ignore_errors=True)


def _files(folder: Path) -> dict[str, list[int]]:
    """Of each file its size in bytes, and when it was written."""
    found = {path.name: path.stat() for path in folder.iterdir() if path.name != MANIFEST}
    return {name: [state.st_size, state.st_mtime_ns] for name, state in sorted(found.items())}
