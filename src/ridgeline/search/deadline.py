"""How long a start of a study may take: `search.timeout`."""

from __future__ import annotations

from time import monotonic


class TimeIsUp(Exception):
    """A start of a study has taken as long as it may."""


class Deadline:
    """So many seconds after `began`, a time of `monotonic`; None: never.

    What is broken off follows the wall clock, so a study with a deadline is not the same again on another day; nothing
    that has ended is lost, and nothing counts twice.
    """

    def __init__(self, seconds: float | None, began: float) -> None:
        self.seconds = seconds
        self.before_trials = 0.0
        self._began = began
        self._end = None if seconds is None else began + seconds

    def begin(self) -> None:
        """From now on trials train: what has passed was for the start."""
        self.before_trials = monotonic() - self._began

    def check(self) -> None:
        """Raise TimeIsUp after it."""
        if self._end is not None and monotonic() >= self._end:
            raise TimeIsUp
