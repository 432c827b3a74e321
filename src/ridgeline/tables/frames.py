"""Tables that are read once: for as long as its files stay as they are, a process reads a table no second time."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa

from ridgeline.tables.reading import Reading, read_table


def open_table(
    path: str, *, key: str = "data.path", missing: Sequence[str] = (), strings: Sequence[str] = ()
) -> Reading:
    """What `read_table` gives. The frame is shared by all who ask: do not write into it."""
    return _read(path, key, tuple(missing), tuple(strings), _state(path))


@lru_cache(maxsize=4)
def _read(
    path: str, key: str, missing: tuple[str, ...], strings: tuple[str, ...], state: tuple[tuple[str, int, int], ...]
) -> Reading:
    return read_table(path, key=key, missing=missing, strings=strings)


def _state(path: str) -> tuple[tuple[str, int, int], ...]:
    """Of each file its size and when it was written."""
    files = [path] if os.path.exists(path) else sorted(glob.glob(path))
    known = [(file, os.stat(file)) for file in files]
    return tuple((file, found.st_size, found.st_mtime_ns) for file, found in known)


def forget_tables() -> None:
    """Give the memory of what was read back, as soon as nobody else has it."""
    _read.cache_clear()
    pa.default_memory_pool().release_unused()
