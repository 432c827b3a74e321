"""The ledger of who opened which test split when: a file of one JSON object a line, which only grows."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

REUSED = "reused"
"""The key of a line that is no opening: the predictions of an earlier one, at this time, were used again."""

UNKNOWN = {"when": "unknown", "study": "unknown", "commit": None}
"""What stands for an opening whose line was cut off."""


def record(ledger: Path, split: str, by: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Record that the test split is opened now. Returned: the time, and the openings before this one."""
    with _held(ledger) as file:
        openings = _openings(file, split)
        return _append(file, {"test_hash": split}, by), openings


def note_reuse(ledger: Path, split: str, by: Mapping[str, Any], opened: str) -> list[dict[str, Any]]:
    """Record that predictions of the opening at the time `opened` are used again. Returned: all openings so far."""
    with _held(ledger) as file:
        openings = _openings(file, split)
        _append(file, {"test_hash": split, REUSED: opened}, by)
        return openings


@contextmanager
def _held(ledger: Path) -> Iterator[BinaryIO]:
    """The file, which nobody else writes meanwhile. The lock ends with its process, and holds over NFS too."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with ledger.open("a+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield file


def _openings(file: BinaryIO, split: str) -> list[dict[str, Any]]:
    file.seek(0)
    found = []
    for line in file.read().decode(errors="replace").splitlines():
        if split not in line:  # a hash of its examples: no other text contains it
            continue
        try:
            entry = json.loads(line)
        except ValueError:  # whoever wrote it was killed: what it opened, it may have seen
            entry = {} if REUSED in line else {"test_hash": split, **UNKNOWN}
        if isinstance(entry, dict) and entry and REUSED not in entry:
            found.append(entry)
    return found


def _append(file: BinaryIO, entry: Mapping[str, Any], by: Mapping[str, Any]) -> str:
    """One line, on the disk when this returns; after half a line, on a line of its own."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    size = file.seek(0, os.SEEK_END)
    if size:
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.write(b"\n")
    file.write(json.dumps({**entry, "when": when, **by}).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
    return when
