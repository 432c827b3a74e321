"""stdout and stderr that outlive their reader: a terminal that was closed, `| head` that has seen enough.

What nobody reads is let go, and the work goes on.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, TextIO

from ridgeline.command_line.passwords import hidden_everywhere

GONE = (errno.EIO, errno.EPIPE, errno.EBADF)
"""The errors of a closed terminal, of a closed pipe, and of a stream that was never open."""


class Screen:
    """A text stream; what is written shows no password that this process was given."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(hidden_everywhere(text))
        except OSError as error:
            self._let_go(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._let_go(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _let_go(self, error: OSError) -> None:
        """Send what is buffered, and what others write to the same file, to /dev/null without an error."""
        if error.errno not in GONE:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def use_screen() -> None:
    """Make stdout and stderr such streams. A process without one (`None`, after `>&-`) gets one that goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")  # noqa: SIM115
        if not isinstance(stream, Screen):
            setattr(sys, name, Screen(stream))
