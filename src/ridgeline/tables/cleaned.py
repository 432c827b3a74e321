"""Text with exactly one character between two cells, made of text with spaces around them, while it is read."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from ridgeline.tables.dialect import Dialect
from ridgeline.tables.files import text_of


class Cleaned:
    """A file for Arrow, in UTF-8, with one character between two cells where there are several."""

    def __init__(self, file: Path, dialect: Dialect) -> None:
        self._text = text_of(file, dialect.encoding)
        self._lines = self._text if dialect.separator != " " else (" ".join(line.split()) + "\n" for line in self._text)
        self._spaces = re.compile(f"(^|{re.escape(dialect.separator)}) +(?={dialect.quote})")

        self._ready = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._ready) < size:
            lines = [self._spaces.sub(r"\1", line) for line in itertools.islice(self._lines, 10_000)]
            if not lines:
                break
            self._ready += "".join(lines).encode()
        size = len(self._ready) if size < 0 else size
        block, self._ready = self._ready[:size], self._ready[size:]
        return block

    def close(self) -> None:
        self._text.close()
        self.closed = True
