"""Whether a table fits into the memory, told before it is read."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from ridgeline.tables.files import BadTable

CGROUP = Path("/sys/fs/cgroup")
COPIES = 2.5
"""While a table becomes a data frame, most columns are there twice. Measured: 2.5 times the frame, with 50 columns."""


def free_memory() -> int:
    """Bytes that this process can still have, as far as it can be told: of the machine, or of its container."""
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError, KeyError):  # no container, or one without a limit
        limit = int((CGROUP / "memory.max").read_text())
        used = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        free = min(free, limit - int(used["anon"]))
    return max(free, 0)


def require_room(columns: int) -> None:
    """Raise BadTable for a table whose columns, of so many bytes, would not fit, with the need and what there is."""
    needs, free = COPIES * columns, free_memory()
    if needs > free:
        raise BadTable(
            "the table fits into the memory",
            f"reading it needs about {needs / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are free. "
            "Take fewer rows or columns, or a machine with more.",
        )
