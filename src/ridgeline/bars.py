"""Progress bars on stderr: drawn over and over for a reader who watches, lines of their own in a log file."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from tqdm.auto import tqdm  # in a notebook, a widget

LIVE_SECONDS, LOG_SECONDS = 0.1, 30.0
"""How often a bar is drawn anew: for a reader who watches it, and in a log file, which needs no animation."""


class Lines:
    """A stream for a bar in a log file: each drawing is a whole line, so that nothing else is glued to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """A drawing begins with a carriage return and ends with the spaces that clear the one before."""
        line = text.strip()
        if line:
            self._stream.write(f"{line}\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def bar_of(**settings: Any) -> Any:
    """A bar of tqdm with these settings. A notebook's cell is watched, though it is no terminal."""
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        return tqdm(**settings, file=sys.stderr, mininterval=LIVE_SECONDS, dynamic_ncols=True)
    return tqdm(**settings, file=Lines(sys.stderr), mininterval=LOG_SECONDS)
