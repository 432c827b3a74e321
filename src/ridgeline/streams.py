"""A pipeline whose reader goes away (`... | head`) goes on without it: what it says is lost, what it does is not."""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO


class UntilClosed(io.FileIO):
    """A file descriptor that takes everything; once nobody reads it any more, for nothing."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content) or 0
        except BrokenPipeError:
            return len(content)


def outlive_readers() -> None:
    """Exchange this process's stdout and stderr for such."""
    sys.stdout, sys.stderr = _until_closed(sys.stdout), _until_closed(sys.stderr)


def _until_closed(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # closed from the start, or caught by a test
        return stream
    stream.flush()
    raw = io.BufferedWriter(UntilClosed(stream.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=stream.line_buffering)
