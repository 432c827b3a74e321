"""Files that are written: tried before any work, for after an hour it is too late; and put in place as a whole."""

from __future__ import annotations

import errno
import json
import math
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ridgeline.checking import ConfigError, require


def require_writable(path: str | Path | None, key: str, *, csv: bool = False, images: bool = False) -> None:
    """Raise ConfigError, one line, unless the file can be written or made, with the folders that it lacks. Leaves
    nothing behind. Null is no file.

    `csv`, `images`: a table of the same name is written too, or pictures into a folder beside it.
    """
    if path is None:
        return
    asked = Path(path)
    also = [asked.with_suffix(".csv")] * csv + [asked.parent / "images" / f"{asked.stem}.png"] * images
    for each in (asked, *also):
        try:
            _try(each)
        except OSError as error:
            raise ConfigError(f"`{each} can be written` must hold, but got {key}={path}: {error.strerror}.") from None


def require_folder(folder: str | Path, key: str) -> None:
    """Raise ConfigError, one line, unless files can be made in this folder, which is made if it is not there."""
    require(str(folder) != "", f"{key} is a folder", key, folder)
    try:
        _try(Path(folder) / "file")
    except (OSError, ValueError) as error:  # ValueError: a character that no path has
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"`{key} can be written` must hold, but got {key}={folder}: {reason}.") from None


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """The path of a draft to write, which then takes the place of the file: nobody ever reads half of it.

    Where writing fails, the file stays as it was, and the draft is gone.
    """
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Replace the file by this text, as a whole."""
    with draft_of(path) as draft:
        draft.write_text(text, encoding="utf-8")


def json_text(content: Any) -> str:
    """Indented JSON, with null for what is no finite number: JSON knows no NaN and no infinity."""
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def _finite(node: Any) -> Any:
    if isinstance(node, float):
        return node if math.isfinite(node) else None
    if isinstance(node, Mapping):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_finite(value) for value in node]
    return node


def _try(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.lexists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    folder = path.absolute().parent
    while not os.path.lexists(folder):
        folder = folder.parent
    # Permission bits say little (root, read-only mounts), so make a file: one without a name, gone when closed.
    with tempfile.TemporaryFile(dir=folder):
        pass
