"""Ctrl-C between two steps of a stream instead of inside of one: a journal half written, or a lock half released, would
be the next start's problem."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """While it is held, Ctrl-C raises KeyboardInterrupt in `allowed` and at `check` alone; the second one anywhere."""

    def __init__(self) -> None:
        self._pending = False
        self._allowed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # signals are none of its business
            yield
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

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

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self._allowed or self._pending:
            raise KeyboardInterrupt
        self._pending = True
