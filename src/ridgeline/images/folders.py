"""The images of a folder with a folder for each class, and train, validation and test folders above these."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ridgeline.checking import ConfigError, nearest

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif"),
)
"""What the names of images end in. What is in a file is told by its contents."""
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""The splits, and what their folders are called, in small letters."""


@dataclass
class FolderOfImages:
    """`files`: by class and in the order of their names; `classes` and `splits` have that of each, an empty text where
    the folders name no splits. `aside`: what is in the folder besides, counted."""

    files: list[Path] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    aside: Counter[str] = field(default_factory=Counter)


def find_images(root: Path, key: str) -> FolderOfImages:
    """Raises ConfigError, one line, where there are no two classes. `key`: what the user called the path."""
    found = FolderOfImages()
    tops = split_folders(root, key) or {"": root}
    for split, top in tops.items():
        for entry in _entries(top, found):
            if entry.is_dir():
                files = list(_images_in(Path(entry.path), found, (os.path.realpath(top),)))
                found.files += files
                found.classes += [entry.name] * len(files)
                found.splits += [split] * len(files)
                if not files:
                    found.aside[f"folder {_below(Path(entry.path), root)} without an image"] += 1
            else:
                found.aside[_kind(entry, " outside of the class folders")] += 1
    if not found.files:
        raise ConfigError(f"`{key} has a folder of images for each class` must hold, but got {key}={root}{_why(found)}")
    _require_classes(found, root, key)
    return found


def split_folders(root: Path, key: str) -> dict[str, Path]:
    """The folders of the splits; none unless all folders that there are have such names, and one is of the train split:
    a class may be called `train`. Raises ConfigError where it is one, for another has its folders too, and a third is
    neither."""
    names = _folders(root)
    known = {word: split for split, words in SPLIT_FOLDERS.items() for word in words}
    splits = {known[name.lower()]: name for name in names if name.lower() in known}
    if "train" not in splits:
        return {}
    if len(splits) == len(names):
        return {split: root / splits[split] for split in SPLIT_FOLDERS if split in splits}
    classes = set(_folders(root / splits["train"]))
    alike = [name for name in names if len(classes & set(_folders(root / name))) > 1 and name != splits["train"]]
    if alike:
        odd = next(name for name in names if name not in splits.values())
        same = f"{splits['train']} and {alike[0]} have folders of the same names"
        found = f"{key}={root}, where {same}, and {odd} is no split"
        rule = "the folders are splits (train, validation, test), or each is a class,"
        raise ConfigError(f"`{rule}` must hold, but got {found}: rename it, or move it away.")
    return {}


def _folders(root: Path) -> list[str]:
    """The names of those in a folder, in their order; none where it cannot be read."""
    try:
        return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not _is_hidden(entry.name))
    except OSError:
        return []


def some_images(path: str, key: str) -> dict[str, Path]:
    """The images in a folder and below it, or those that a pattern with * or ? matches, or the one of this path; by
    what they are called from the folder on. Raises ConfigError where there is none."""
    if glob.has_magic(path) and not os.path.exists(path):
        names = sorted(glob.glob(os.path.expanduser(path), recursive=True))
        found = {name: Path(name) for name in names if name.lower().endswith(SUFFIXES)}
    else:
        place = find_path(path, key)
        files = _images_in(place, FolderOfImages(), ()) if place.is_dir() else [place]
        found = {_below(file, place) if place.is_dir() else file.name: file for file in files}
    if not found:
        raise ConfigError(f"`{key} has images` must hold, but got {key}={path} without one.")
    return found


def find_path(path: str, key: str) -> Path:
    """Raises ConfigError, with the nearest names, where there is nothing of this name."""
    place = Path(path).expanduser()
    if place.exists():
        return place
    folder = next((parent for parent in place.absolute().parents if parent.is_dir()), Path("/"))
    try:
        names = [entry.name for entry in folder.iterdir() if not _is_hidden(entry.name)]
    except OSError:
        names = []
    missing = place.absolute().relative_to(folder).parts[0]
    near = nearest(missing, names) if len(names) <= 20 or nearest(missing, names).startswith("Did") else ""
    raise ConfigError(f"`{key} is a folder or a file` must hold, but got {key}={path}. {near}".rstrip())


def _images_in(folder: Path, found: FolderOfImages, above: tuple[str, ...]) -> Iterator[Path]:
    """In the order of their names, those of nested folders too. A link to a folder above is not followed."""
    real = os.path.realpath(folder)
    if real in above:
        found.aside["links to a folder above"] += 1
        return
    for entry in _entries(folder, found):
        if entry.is_dir():
            yield from _images_in(Path(entry.path), found, (*above, real))
        elif entry.name.lower().endswith(SUFFIXES):
            yield Path(entry.path)
        else:
            found.aside[_kind(entry)] += 1


def _entries(folder: Path, found: FolderOfImages) -> list[os.DirEntry[str]]:
    """What is in a folder, but for what is hidden."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise ConfigError(f"`each folder can be read` must hold, but got {folder}: {error.strerror}.") from error
    found.aside["hidden files"] += sum(_is_hidden(entry.name) for entry in entries)
    return [entry for entry in entries if not _is_hidden(entry.name)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _kind(entry: os.DirEntry[str], where: str = "") -> str:
    suffix = Path(entry.name).suffix.lower()
    if suffix in SUFFIXES:
        return f"images{where}"
    return f"{suffix} files{where}" if suffix else f"files without an ending{where}"


def _why(found: FolderOfImages) -> str:
    loose = found.aside["images outside of the class folders"]
    if loose:
        cure = "move those of each class into a folder of its name, or give a CSV of paths and labels"
        return f", where {loose} images lie side by side: {cure}."
    there = described(found.aside)
    return f", where there is no image, but {there}." if there else ", which is empty."


def _require_classes(found: FolderOfImages, root: Path, key: str) -> None:
    names: dict[str, set[str]] = {split: set() for split in found.splits}
    for name, split in zip(found.classes, found.splits, strict=True):
        names[split].add(name)
    every = set().union(*names.values())
    if len(every) < 2:
        raise ConfigError(f"`{key} has two classes or more` must hold, but got {key}={root} with {every.pop()} alone.")
    for split, own in names.items():
        if own != every:
            lacking = ", ".join(sorted(every - own)[:5])
            rule = f"each of {', '.join(names)} has a folder for each class"
            raise ConfigError(f"`{rule}` must hold, but got {key}={root}, where {split} has no image of {lacking}.")


def described(aside: Counter[str]) -> str:
    """`3 hidden files, 1 .txt files`."""
    return ", ".join(f"{count} {what}" for what, count in sorted(aside.items()) if count)


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
