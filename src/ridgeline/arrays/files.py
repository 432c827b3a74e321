"""The arrays that a file holds, by their names; of an array that is not wanted yet only its shape is read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ridgeline.arrays.idx import START, parse_idx, shape_in
from ridgeline.tables.files import BY_WORD, FOREIGN, PICKLES, BadTable, opened

NUMPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"
PICKLED = "save it with numpy.savez(file, x=x, y=y), y as numbers or as texts (y.astype(str))"

ONE = ""
"""What the array of a file is called that holds but one."""


@dataclass(frozen=True)
class Entry:
    """An array of a file: `read` gives it, of a .npy file as a map of the file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], np.ndarray]


def entries_of(file: Path) -> dict[str, Entry]:
    """By name. Raises BadTable for a file of another kind, or with Python objects in it, which only a pickle holds."""
    with opened(file) as stream:
        head = stream.read(64)
    if head.startswith(NUMPY):
        return {ONE: _of_npy(file)}
    if head.startswith(START):
        return {ONE: _of_idx(file, head)}
    if head.startswith(ZIP):
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile as error:
            raise BadTable("the zip file is whole", f"it was cut off or damaged: {error}.") from error
        return _of_torch(file) if any(name.endswith("/data.pkl") for name in names) else _of_npz(file, names)
    return _refuse(head)


def _refuse(head: bytes) -> dict[str, Entry]:
    rule = "the file is a .npz, .npy, .pt or IDX file"
    if not head:
        raise BadTable("the file is not empty", "it has no byte.")
    if head.startswith(PICKLES):
        raise BadTable(rule, f"it is a pickle, which may run code when it is opened: {PICKLED}.")
    known = {**FOREIGN, b"\0\0": "an IDX file of other values than bytes"}
    for signature, what in known.items():
        if head.startswith(signature):
            raise BadTable(rule, f"it is {what.partition(':')[0]}.")
    for word, what in BY_WORD.items():
        if head.lstrip()[: len(word)].lower() == word:
            raise BadTable(rule, f"it is {what.partition(':')[0]}.")
    raise BadTable(rule, "its first bytes are another kind's, or it was cut off.")


def _of_npy(file: Path) -> Entry:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        _require_no_objects("Python objects" in str(error) or "object" in str(error), "the array")
        raise BadTable("a .npy file is whole", f"it was cut off or damaged: {error}.") from error
    return Entry(array.shape, array.dtype, lambda: array)


def _of_idx(file: Path, head: bytes) -> Entry:
    def read() -> np.ndarray:
        with opened(file) as stream:
            content = stream.read()
        try:
            return parse_idx(content)
        except ValueError as error:
            raise BadTable(f"an IDX file {error}", "it was cut off or damaged.") from error

    shape = shape_in(head)
    assert shape is not None, "the head is long enough for a dozen axes"
    return Entry(shape, np.dtype(np.uint8), read)


def _of_npz(file: Path, names: list[str]) -> dict[str, Entry]:
    found = {}
    with zipfile.ZipFile(file) as archive:
        for name in names:
            if not name.endswith(".npy"):
                continue
            try:
                with archive.open(name) as stream:
                    major, _ = np.lib.format.read_magic(stream)
                    header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
                    shape, _, dtype = header(stream)
            except (ValueError, zipfile.BadZipFile) as error:
                raise BadTable("each array of a .npz file is whole", f"{name} is not: {error}.") from error
            own = name.removesuffix(".npy")
            found[own] = Entry(shape, dtype, partial(_read_npz, file, own))
    if not found:
        raise BadTable("the file is a .npz, .npy, .pt or IDX file", "it is a zip file without arrays.")
    return found


def _read_npz(file: Path, name: str) -> np.ndarray:
    try:
        with np.load(file, allow_pickle=False) as archive:
            found: np.ndarray = archive[name]
            return found
    except (ValueError, zipfile.BadZipFile) as error:
        raise BadTable("each array of a .npz file is whole", f"{name} is not: {error}.") from error


def _of_torch(file: Path) -> dict[str, Entry]:
    """A tensor; two, which are x and y; or some by their names."""
    import torch  # which takes seconds, and nobody else needs

    try:
        held = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever torch says to what is no tensor
        raise BadTable(
            "a .pt file holds tensors alone", "it holds other objects, which are pickled: torch.save((x, y), file)."
        ) from error
    if isinstance(held, (tuple, list)) and len(held) == 2:
        held = {"x": held[0], "y": held[1]}
    held = {ONE: held} if isinstance(held, torch.Tensor) else held
    if not isinstance(held, dict) or not held:
        raise BadTable("a .pt file holds a tensor, (x, y) or {x: ..., y: ...}", f"it holds a {type(held).__name__}.")
    return {str(name): _of_tensor(str(name), tensor) for name, tensor in held.items() if hasattr(tensor, "detach")}


def _of_tensor(name: str, tensor: Any) -> Entry:
    try:
        array: np.ndarray = tensor.detach().numpy()
    except TypeError:  # bfloat16, which NumPy has not
        array = tensor.detach().float().numpy()
    return Entry(array.shape, array.dtype, lambda: array)


def _require_no_objects(has_objects: bool, name: str) -> None:
    if has_objects:
        raise BadTable("no array holds Python objects", f"{name} does, and they are pickled: {PICKLED}.")


def require_plain(entry: Entry, name: str) -> None:
    """Raise BadTable for an array of Python objects."""
    _require_no_objects(entry.dtype.hasobject, name)
