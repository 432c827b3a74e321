"""What a benchmark is doing."""

from __future__ import annotations

import sys
import time


class Progress:
    """One line on stderr that says what is being done; on a terminal it overwrites itself."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._on_terminal = sys.stderr.isatty()

    def say(self, text: str) -> None:
        line = f"{time.monotonic() - self._start:5.0f} s  {text}"
        print(f"\r{line:<100}" if self._on_terminal else line, end="" if self._on_terminal else "\n", file=sys.stderr)
        sys.stderr.flush()

    def clear(self) -> None:
        if self._on_terminal:
            print(f"\r{'':<100}\r", end="", file=sys.stderr, flush=True)
