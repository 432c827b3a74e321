"""Processes that this one starts: workers, and one that is asked something and ends.

They are forked from a server, which imports what workers need while this process does something else. Forked from here,
a worker would inherit the locks of threads that it does not have; started anew, each would import for seconds. Nothing
heavy is imported here, so that the server can be started before all else.

No process that is started here runs the user's script again, as multiprocessing's do: all that a worker does is found
by import. So a script that starts a study needs no `if __name__ == "__main__"`, and may come from a pipe or a notebook.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any, TypeVar

Told = TypeVar("Told")

SERVED = multiprocessing.get_context("forkserver")

_preloaded = list[str]()


def preload(module: str) -> None:
    """Let the server import this module when it starts: the package whose workers need it says so as it is imported."""
    if module not in _preloaded:
        _preloaded.append(module)


def start_server() -> None:
    """Start it, if it does not run, without waiting for it. It ends with this process."""
    SERVED.set_forkserver_preload(_preloaded)
    with _short_temporary_folder(), without_script():
        forkserver.ensure_running()


@contextmanager
def without_script() -> Iterator[None]:
    """A process that is started inside does not look for the script of this one."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


LONGEST_FOLDER = 60
"""Characters. The path of a socket has at most 108, of which multiprocessing takes 33 for the names inside."""


@contextmanager
def _short_temporary_folder() -> Iterator[None]:
    """Where TMPDIR is too long for the server's socket, another folder; multiprocessing stays with its first one."""
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST_FOLDER:
        folders = [folder for folder in ("/tmp", "/var/tmp", "/dev/shm") if os.access(folder, os.W_OK)]
        tempfile.tempdir = folders[0] if folders else before
    try:
        yield
    finally:
        tempfile.tempdir = before


def ask(function: Callable[..., Told], *given: Any) -> Told:
    """What the function returns in a process of its own, or raises there.

    For what only a process that uses the GPU can tell: a context of CUDA takes hundreds of megabytes of the GPU for as
    long as its process lives. A study's own process lives as long as the study, and trains nothing.
    """
    start_server()
    ours, theirs = SERVED.Pipe()
    process = SERVED.Process(target=_answer, args=(theirs, function, given))
    with without_script():
        process.start()
    theirs.close()
    try:
        is_error, answer = receive(ours)
    except EOFError:
        process.join()
        name = f"the process that was asked for {function.__name__}"
        raise RuntimeError(f"{name} ended with exit code {process.exitcode}") from None
    finally:
        ours.close()
    process.join()
    if is_error:
        raise answer
    told: Told = answer
    return told


def _answer(connection: Connection, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    try:
        answer = False, function(*given)
    except Exception as error:
        answer = True, error
    send(connection, answer)


def send(connection: Connection, message: Any) -> None:
    """Pickled as bytes: torch's own way for processes keeps a file descriptor a tensor."""
    connection.send_bytes(pickle.dumps(message))


def receive(connection: Connection) -> Any:
    return pickle.loads(connection.recv_bytes())
