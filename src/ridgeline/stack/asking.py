"""What only a process that uses the GPU can tell, asked of one that ends then.

A context of CUDA takes hundreds of megabytes of the GPU for as long as its process lives. A study's own process lives
as long as the study, and trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from ridgeline.stack.messages import receive, send
from ridgeline.stack.server import SERVED, start_server, without_script

Told = TypeVar("Told")


def ask(function: Callable[..., Told], *given: Any) -> Told:
    """What the function returns in a process of its own, or raises there."""
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
