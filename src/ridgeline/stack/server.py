"""A process that imports what workers need, while this one does something else; workers are forked from it.

Forked from here, a worker would inherit the locks of threads that it does not have; started anew, each would import for
seconds. Nothing heavy is imported here, so that the server can be started before all else.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver

SERVED = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start it, if it does not run, without waiting for it. It ends with this process."""
    SERVED.set_forkserver_preload(["__main__", "ridgeline.stack.preload"])
    forkserver.ensure_running()
