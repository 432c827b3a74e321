"""A process that imports what workers need, while this one does something else; workers are forked from it.

Forked from here, a worker would inherit the locks of threads that it does not have; started anew, each would import for
seconds. Nothing heavy is imported here, so that the server can be started before all else.

No process that is started here runs the user's script again, as multiprocessing's do: all that a worker does is found
by import. So a script that starts a study needs no `if __name__ == "__main__"`, and may come from a pipe or a notebook.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from types import ModuleType

SERVED = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start it, if it does not run, without waiting for it. It ends with this process."""
    SERVED.set_forkserver_preload(["ridgeline.stack.preload"])
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
