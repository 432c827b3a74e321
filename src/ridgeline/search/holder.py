"""Who runs a study, written where every process that could run it looks, and renewed while it runs.

A lock of the operating system ends with its process, but on a file system of a network it may hold on one machine
alone, and a database has none. So the holder writes who it is, and a beat that changes every few seconds. Whoever finds
another one looks whether that lives: on the same machine at its process, else at its beat. No clocks are compared.
"""

from __future__ import annotations

import _thread
import getpass
import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import psutil
from optuna.study import Study

from ridgeline.checking import ConfigError
from ridgeline.command_line.outputs import write_whole
from ridgeline.stack import interrupts

BEAT_SECONDS = 3.0
SILENT_SECONDS = 15.0
"""How long a holder's beat may stand still before the holder counts as gone."""
SETTLE_SECONDS = 0.5
"""How long a process waits after it has written itself down. If two take the study at once, the later one has written
over the earlier one by then, which gives way."""

HOLDER = "holder"
"""The name of the file in a study's folder, and of the user attribute of a study, that says who holds it."""

Holder = dict[str, Any]

log = logging.getLogger(__name__)


class Place(Protocol):
    """Where it is written who holds a study; `read` gives None if nobody does."""

    def read(self) -> Holder | None: ...

    def write(self, holder: Holder | None) -> None: ...


class FilePlace:
    """A file in the study's folder, which is there while the study is held."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Holder | None:
        try:
            holder: Holder = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        except ValueError:  # of a full disk
            return {}
        return holder

    def write(self, holder: Holder | None) -> None:
        if holder is None:
            self._path.unlink(missing_ok=True)
            return
        write_whole(self._path, json.dumps(holder))


class StudyPlace:
    """A user attribute of the study, in a storage that several machines may use."""

    def __init__(self, study: Study) -> None:
        self._storage, self._id = study._storage, study._study_id

    def read(self) -> Holder | None:
        return self._storage.get_study_user_attrs(self._id).get(HOLDER) or None

    def write(self, holder: Holder | None) -> None:
        self._storage.set_study_user_attr(self._id, HOLDER, holder or {})


@contextmanager
def held(place: Place, what: str, *, settle: bool) -> Iterator[None]:
    """Hold the study at this place. Raises ConfigError, one line, while another process does.

    `settle`: whether another process may take it at the same moment, for nothing else keeps them apart.
    """
    me, there = _me(), place.read()
    if there is not None and _lives(place, there, what):
        raise ConfigError(f"{what} is already running: {in_words(there)}.")
    place.write(me)
    if settle:
        interrupts.sleep(SETTLE_SECONDS)
        there = place.read() or me
        if there.get("id") != me["id"]:
            raise ConfigError(f"{what} is already running: {in_words(there)}.")
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(place, me, what, ended), name="ridgeline.holder", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(BEAT_SECONDS)
        with suppress(Exception):  # a full disk, a database that is away: the beat has ended anyway
            if (place.read() or {}).get("id") == me["id"]:
                place.write(None)


def in_words(holder: Holder) -> str:
    """Who holds a study, on which machine, since when."""
    if "host" not in holder:
        return "somebody who cannot be read"
    return f"{holder['user']} on {holder['host']}, process {holder['pid']}, since {holder['since']}"


def _me() -> Holder:
    return {
        "id": uuid.uuid4().hex,
        "user": _user(),
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "beat": 0,
    }


def _machine() -> str:
    """A name for what shares process numbers: a machine, or a container on it, since it was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:  # no Linux
        return f"{socket.gethostname()} {psutil.boot_time():.0f}"


def _started(pid: int) -> str | None:
    """When the process began, in ticks since the machine did, which no clock changes. None: it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:  # no Linux
        return None if Path("/proc/self/stat").exists() else f"{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "somebody"


def _lives(place: Place, holder: Holder, what: str) -> bool:
    if holder.get("machine") == _machine():
        return _started(holder["pid"]) == holder["started"]
    log.warning(f"{what} is held by {in_words(holder)}. Waiting {SILENT_SECONDS:.0f} s at most to see if it lives.")
    for _ in range(round(SILENT_SECONDS / BEAT_SECONDS)):
        interrupts.sleep(BEAT_SECONDS)
        seen = place.read()
        if seen is None:
            return False
        if (seen.get("id"), seen.get("beat")) != (holder.get("id"), holder.get("beat")):
            return True
    return False


def _beat(place: Place, me: Holder, what: str, ended: threading.Event) -> None:
    beat = 0
    while not ended.wait(BEAT_SECONDS):
        beat += 1
        with suppress(Exception):  # a full disk, a database that is away: the next beat may be written
            there = place.read()
            if there is not None and there.get("id") != me["id"]:
                log.warning(f"{what} was taken over while this process stood still, by {in_words(there)}.")
                _thread.interrupt_main()
                return
            place.write({**me, "beat": beat})
