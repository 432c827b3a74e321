"""Which arrays of which files are the examples, and which their targets.

N examples, I features; images of C channels, H rows and W columns.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ridgeline.arrays.files import ONE, Entry, entries_of, require_plain
from ridgeline.arrays.part import Part, check_part
from ridgeline.arrays.rows import ImageShape, shape_of_rows
from ridgeline.checking import ConfigError, nearest, require
from ridgeline.tables.files import BadTable, naming

SPLITS = {"train": ("x", "y"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")}
"""What the arrays of each split are called in an error."""

CALLED = {
    "x": ("x", "X", "x_train", "X_train", "train_images"),
    "y": ("y", "Y", "y_train", "Y_train", "train_labels"),
    "x_val": ("x_val", "X_val", "x_valid", "X_valid", "val_images"),
    "y_val": ("y_val", "Y_val", "y_valid", "Y_valid", "val_labels"),
    "x_test": ("x_test", "X_test", "test_images"),
    "y_test": ("y_test", "Y_test", "test_labels"),
}
"""Names that people give them."""

IDX = {
    "train": ("*train-images*idx3-ubyte*", "*train-labels*idx1-ubyte*"),
    "test": ("*t10k-images*idx3-ubyte*", "*t10k-labels*idx1-ubyte*"),
}
"""The four files of MNIST, and of what was made to take its place."""


@dataclass(frozen=True)
class Place:
    """Where the arrays lie: the files of examples and targets, and those of the test split. `image_shape` is (C, H, W)
    or (H, W) of images that lie as rows."""

    path: str
    targets: str | None = None
    test_path: str | None = None
    test_targets: str | None = None
    image_shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Found:
    """The splits that the files have, `train` at least, what an image is (None: rows are no images), and all files."""

    parts: Mapping[str, Part]
    image_shape: ImageShape | None
    files: tuple[Path, ...]

    @property
    def said(self) -> str:
        """What was understood, in words."""
        lines = [
            f"{part.x_name} {'x'.join(map(str, part.x.shape))} {part.x.dtype} with {part.y_name} {part.y.dtype}"
            for part in self.parts.values()
        ]
        if self.image_shape is None:
            return f"{'; '.join(lines)}: rows"
        n_channels, height, width = self.image_shape
        return f"{'; '.join(lines)}: images of {n_channels} channel{'s'[: n_channels != 1]}, {height} x {width} pixels"

    @property
    def targets_N(self) -> np.ndarray:
        """Of all splits, one after the other. Raises ConfigError for targets of several types."""
        with naming("data.path", self.files[0]):
            arrays = [part.y.read().reshape(-1) for part in self.parts.values()]
        kinds = {array.dtype.kind in "USOb" for array in arrays}
        require(len(kinds) == 1, "the targets of all splits are of one type", "data.path", self.files[0])
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def find_examples(place: Place) -> Found:
    """Raises ConfigError, one line, for files that are not there or lack an array, and for shapes that do not fit."""
    files: list[Path] = []
    parts = dict(_of_place(place, files))
    for part in parts.values():
        with naming("data.path", files[0]):
            check_part(part, parts["train"])
    with naming("data.path", files[0]):
        image = shape_of_rows(parts["train"].x.shape, place.image_shape)
    return Found(parts, image, tuple(files))


def find_new(path: str, key: str) -> Entry:
    """Examples without targets: the array of a file, or what is called x in it. Raises ConfigError where none is."""
    files: list[Path] = []
    held = _held(path, key, files)
    name = next((name for name in (ONE, *CALLED["x"]) if name in held), None)
    if name is None:
        raise ConfigError(f"`{key} holds x` must hold, but got {key}={path} without x. {nearest('x', held)}")
    with naming(key, files[0]):
        require_plain(held[name], name or "the array")
    return held[name]


def _of_place(place: Place, files: list[Path]) -> Iterator[tuple[str, Part]]:
    path = Path(place.path).expanduser()
    if path.is_dir():
        for key in ("targets", "test_path", "test_targets"):
            rule = f"data.{key}=null where data.path is a folder, of which all is read"
            require(getattr(place, key) is None, rule, f"data.{key}", getattr(place, key))
        yield from _of_folder(path, files)
        return
    held = _held(place.path, "data.path", files)
    if ONE in held:
        yield "train", _pair(held[ONE], place.targets, "data.path", "data.targets", files)
    else:
        rule = "data.targets=null where data.path has the targets too"
        require(place.targets is None, rule, "data.targets", place.targets)
        yield from _named_in(held, files[0], "data.path")
    if place.test_path is None:
        rule = "data.test_path is given with data.test_targets"
        require(place.test_targets is None, rule, "data.test_targets", place.test_targets)
        return
    has_test = any(name in held for name in CALLED["x_test"])
    require(not has_test, "data.test_path=null where data.path has x_test", "data.test_path", place.test_path)
    tested = _held(place.test_path, "data.test_path", files)
    if ONE in tested:
        part = _pair(tested[ONE], place.test_targets, "data.test_path", "data.test_targets", files)
        yield "test", part._replace(x_name="data.test_path", y_name="data.test_targets")
    else:
        (_, part), *_ = _named_in(tested, files[-1], "data.test_path")
        yield "test", part


def _held(path: str, key: str, files: list[Path]) -> dict[str, Entry]:
    file = _file(path, key)
    files.append(file)
    with naming(key, file):
        return entries_of(file)


def _file(path: str, key: str) -> Path:
    """Raises ConfigError, with the nearest names, where no such file is there."""
    file = Path(path).expanduser()
    require(not file.is_dir(), f"{key} is a file", key, f"{path}, a folder")
    if file.exists():
        return file
    folder = next(parent for parent in file.absolute().parents if parent.is_dir())
    there = f"There is no folder {file.parent}; the nearest is {folder}."
    if folder == file.absolute().parent:
        names = sorted(entry.name for entry in folder.iterdir())
        close = difflib.get_close_matches(file.name, names, n=3)
        there = f"Did you mean {' or '.join(close)}?" if close else f"There is: {', '.join(names[:8]) or 'nothing'}."
    raise ConfigError(f"`the file exists` must hold, but got {key}={path}. {there}")


def _pair(x: Entry, targets: str | None, key: str, targets_key: str, files: list[Path]) -> Part:
    rule = f"{targets_key}=FILE is given where {key} is one array"
    require(targets is not None, rule, targets_key, "null")
    held = _held(str(targets), targets_key, files)
    require(ONE in held, f"{targets_key} is one array", targets_key, f"{targets}, which holds {', '.join(held)}")
    return Part(x, held[ONE], key, targets_key)


def _named_in(held: Mapping[str, Entry], file: Path, key: str) -> Iterator[tuple[str, Part]]:
    """The splits of a file with names. Raises ConfigError where one has examples and no targets, or none trains."""
    for split, pair in SPLITS.items():
        names = [next((name for name in CALLED[one] if name in held), None) for one in pair]
        if split != "train" and names == [None, None]:
            continue
        for one, name in zip(pair, names, strict=True):
            if name is None:
                beside = f"{key} holds {one}" if split == "train" else f"{key} holds {' and '.join(pair)} or neither"
                raise ConfigError(f"`{beside}` must hold, but got {key}={file} without {one}. {nearest(one, held)}")
        x_name, y_name = map(str, names)
        yield split, Part(held[x_name], held[y_name], x_name, y_name)


def _of_folder(folder: Path, files: list[Path]) -> Iterator[tuple[str, Part]]:
    for split, patterns in IDX.items():
        pair = []
        for pattern in patterns:
            found = sorted(folder.glob(pattern))
            if len(found) != 1:
                rule = f"the folder has one file {pattern}"
                names = sorted(entry.name for entry in folder.iterdir())[:8]
                shown = ", ".join(path.name for path in found) or f"none; there is: {', '.join(names) or 'nothing'}"
                cure = ""
                if any(name.endswith((".npy", ".pt")) for name in names):
                    cure = " Of other arrays each is named: data.path=x.npy data.targets=y.npy, say."
                raise ConfigError(f"`{rule}` must hold, but got data.path={folder}: {shown}.{cure}")
            pair.append(found[0])
            files.append(found[0])
        entries = []
        for path in pair:
            with naming("data.path", path):
                held = entries_of(path)
                if ONE not in held:
                    raise BadTable("each file of the folder is an IDX file", "it is another one.")
                entries.append(held[ONE])
        x, y = entries
        yield split, Part(x, y, pair[0].name, pair[1].name)
