"""What is known of files that stay as they are: a second start need not read them for that."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from ridgeline.cache import cache_folder, refusing, require_space
from ridgeline.tables.files import content_of, unpacked_size

SETTLED = 2.0
"""Seconds. A file that was written later may be written again in the same tick of the file system's clock."""
SPOOLED = 2
"""What is written of a file while its columns are, as a multiple of its own size when unpacked."""
TABLES = Path(__file__).parent
MAKERS = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy")


def noted(question: Sequence[Any], files: Sequence[Path], answer: Callable[[], Any]) -> Any:
    """What `answer` gives, a value that JSON has; it is asked once for as long as the files are as they were."""
    states = [_state(file) for file in files]
    text = json.dumps([*question, [[str(file.absolute()), *state] for file, state in zip(files, states, strict=True)]])
    place = cache_folder() / "notes" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return json.loads(place.read_text())["answer"]
    found = answer()
    if all(max(times) < time.time_ns() - SETTLED * 1e9 for _, *times in states):
        draft = place.with_name(f"{place.name}.{uuid4().hex[:8]}.part")
        with suppress(OSError):  # it will be asked again
            place.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps({"answer": found}))
            os.replace(draft, place)
    return found


def hash_of(files: Sequence[Path]) -> str:
    """SHA-256 of the files' bytes, one after the other. Raises ConfigError where their columns would not fit on the
    disk: not even that is asked of such files."""

    def content() -> str:
        with refusing():
            cache_folder().mkdir(parents=True, exist_ok=True)
            require_space(cache_folder(), SPOOLED * sum(map(unpacked_size, files)))
        return content_of(files)

    found: str = noted(["content"], files, content)
    return found


def _state(file: Path) -> tuple[int, int, int]:
    """Its size in bytes, and when its contents and its place were changed last."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache
def code_of(*folders: Path) -> str:
    """SHA-256 of the source files in these folders, and of the versions of what reads and encodes tables."""
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in MAKERS).encode())
    for path in (path for folder in folders for path in sorted(folder.glob("*.py"))):
        digest.update(f" {path.name} ".encode() + path.read_bytes())
    return digest.hexdigest()
