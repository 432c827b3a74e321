"""What asks a process to end: Ctrl-C, SIGTERM (`kill`, SLURM, `docker stop`), SIGHUP (a terminal that is closed).

Each is a KeyboardInterrupt. In a stream it is raised between two steps instead of inside of one: a journal half
written, or a lock half released, would be the next start's problem.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))

AGAIN_SECONDS = 15.0
"""So long a second SIGTERM or SIGHUP says nothing new: shells and clusters send several."""
IMPATIENT_SECONDS = 2.0
"""So long a second Ctrl-C says nothing new either: what has begun to end is nearly there."""

_asked = -math.inf
"""When first: monotonic seconds."""
_held: Interrupts | None = None


def end_when_asked() -> None:
    """From now on each of the signals ends this process as Ctrl-C does. One that is ignored (`nohup`) stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)


def leave_to_parent() -> None:
    """A signal to all processes of a group or a container reaches workers too, but it is the parent that ends them."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def check() -> None:
    """Raise an interrupt that is held back: for whoever waits where it does no harm."""
    if _held is not None and threading.current_thread() is threading.main_thread():
        _held.check()


def sleep(seconds: float) -> None:
    """Wait, but not longer than until an interrupt."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.1))


class Interrupts:
    """While held, a signal raises KeyboardInterrupt in `allowed` and at `check` alone, a later Ctrl-C anywhere.

    A second SIGTERM or SIGHUP does nothing, nor does a second Ctrl-C within `IMPATIENT_SECONDS`.
    """

    def __init__(self) -> None:
        self._pending = False
        self._allowed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        global _held
        if threading.current_thread() is not threading.main_thread():  # signals are none of its business
            yield
            return
        known = {number: signal.getsignal(number) for number in SIGNALS}
        before = {number: handler for number, handler in known.items() if handler not in (signal.SIG_IGN, None)}
        for number in before:
            signal.signal(number, self._note)
        outer, _held = _held, self
        try:
            yield
        finally:
            _held = outer
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Here it would do no harm."""
        if self._pending:
            raise KeyboardInterrupt

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Nor would it anywhere inside."""
        self._allowed = True
        try:
            self.check()
            yield
        finally:
            self._allowed = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        global _asked
        again, self._pending = self._pending, True
        if not again:
            _asked = time.monotonic()
        if _insists(number) if again else self._allowed:
            raise KeyboardInterrupt


def _raise(number: int, frame: FrameType | None) -> None:
    global _asked
    if _insists(number):
        _asked = time.monotonic()
        raise KeyboardInterrupt


def _insists(number: int) -> bool:
    """Whether a signal is more than the first one's echo."""
    return time.monotonic() - _asked >= (IMPATIENT_SECONDS if number == signal.SIGINT else AGAIN_SECONDS)
