"""Tables that are opened once: a process asks no second time what is in files that stay as they are."""

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
    """What `read_table` gives."""
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
    """Ask anew, and give back the memory that reading took."""
    _read.cache_clear()
    pa.default_memory_pool().release_unused()
