"""The images of data=images: a folder for each class, or a CSV of paths and labels. N images, I features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ridgeline.checking import ConfigError, require
from ridgeline.config.images import ImagesConfig
from ridgeline.data.given import TEST, TRAIN, VALIDATION, read_split_names
from ridgeline.data.source import ImageFacts, Source
from ridgeline.images.decoded import Decoded, decode_once, survey_once
from ridgeline.images.folders import described, find_images, find_path
from ridgeline.images.reading import Survey

SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
LISTED = 5
"""Bad files that are named in what is refused."""


@dataclass(frozen=True)
class Listing:
    """The files in order, what each is called (from `data.path` on), what is predicted of it, and which split it is in
    where that is given; `said`: what else was found, in lines."""

    files: Sequence[Path]
    names: Sequence[str]
    y_N: np.ndarray
    class_names: tuple[str, ...]
    given_N: np.ndarray | None
    said: tuple[str, ...]


def read_images(config: ImagesConfig) -> Source:
    """Raises ConfigError, one line, for a path that holds no images for each class, and for broken files unless
    data.on_error=skip."""
    listing = _of_csv(config) if config.is_listing else _of_folder(config)
    known = survey_once(listing.files)
    _refuse_bad(known.bad, listing, config)
    n_channels = (1 if known.are_grey else 3) if config.channels == "auto" else config.channels
    decoded = decode_once(listing.files, known, n_channels, _size(known, config), config.title)
    _refuse_bad(decoded.bad, listing, config)
    kept = decoded.kept_N
    y_N, given_N = listing.y_N[kept], None if listing.given_N is None else listing.given_N[kept]
    _require_classes(y_N, listing, config)
    own = [listing.class_names, None if given_N is None else given_N.tolist()]
    facts = ImageFacts([listing.names[i] for i in kept], known, _bad(decoded, listing), listing.said)
    return Source(
        decoded.x_NI,
        y_N,
        _digest(decoded.content, own, y_N),
        decoded.shape,
        class_names=listing.class_names,
        given_N=given_N,
        examples=_digest(known.content, own, y_N),
        images=facts,
        notes=_skipped(facts),
    )


def _skipped(facts: ImageFacts) -> tuple[str, ...]:
    """What whoever trains without some of the files should know."""
    if not facts.bad:
        return ()
    n, total = len(facts.bad), len(facts.bad) + len(facts.names)
    name, why = facts.bad[0]
    are = "are" if n > 1 else "is"
    return (f"{n} of {total} files cannot be read and {are} left out (data.on_error=skip): {name}: {why}.",)


def _digest(content: str, own: object, y_N: np.ndarray) -> str:
    return hashlib.sha256(json.dumps([content, own]).encode() + y_N.tobytes()).hexdigest()


def _of_folder(config: ImagesConfig) -> Listing:
    place = find_path(str(config.path), "data.path")
    rule = "data.path is a folder, or a CSV with data.image and data.target, which name its columns,"
    require(place.is_dir(), rule, "data.path", config.path)
    found = find_images(place, "data.path")
    class_names = sorted(set(found.classes), key=_number_first)
    number = {name: i for i, name in enumerate(class_names)}
    y_N = np.array([number[name] for name in found.classes], np.int64)
    given_N = np.array([SPLITS[split] for split in found.splits], np.int8) if found.splits[0] else None
    names = [file.relative_to(place).as_posix() for file in found.files]
    left = described(found.aside)
    return Listing(found.files, names, y_N, tuple(class_names), given_N, (f"left aside: {left}",) if left else ())


def _number_first(name: str) -> tuple[float, str]:
    """Classes that are called by numbers are in their order."""
    return (float(name) if name.isdecimal() else float("inf"), name)


def _of_csv(config: ImagesConfig) -> Listing:
    from ridgeline.tables.frames import open_table  # pandas, which folders do without
    from ridgeline.tables.target import column_of, read_target

    place = find_path(str(config.path), "data.path")
    rule = "data.path is a CSV with data.image and data.target"
    require(place.is_file(), rule, "data.path", config.path)
    assert config.image is not None
    reading = open_table(str(config.path), strings=(config.image,))
    frame = reading.frame
    paths = column_of(frame, config.image, "data.image")
    if paths.isna().any():
        row = int(paths.isna().to_numpy().argmax())
        rule = "data.image has a path in each row"
        raise ConfigError(f"`{rule}` must hold, but got data.image={config.image} with none in {reading.place(row)}.")
    target = read_target(column_of(frame, str(config.target), "data.target"), config.predicted)
    given_N = None
    if config.split_column is not None:
        named = column_of(frame, config.split_column, "data.split_column")
        given_N = read_split_names(named, "data.split_column")[target.rows_N]
    names = [str(path) for path in paths.iloc[target.rows_N]]
    said = [f"{target.missing} rows without {config.target} are left out"] if target.missing else []
    if target.rare:
        rare = ", ".join(f"{name} ({count})" for name, count in target.rare)
        said.append(f"classes of fewer than 5 images are left out: {rare}")
    files = [place.parent / name for name in names]
    return Listing(files, names, target.y_N, target.class_names, given_N, tuple(said))


def _size(known: Survey, config: ImagesConfig) -> tuple[int, int]:
    if config.size is not None:
        return config.size
    sizes = [size for size, _ in known.sizes]
    if len(sizes) > 1:
        by_area = sorted(sizes, key=lambda size: size[0] * size[1])
        (height, width), count = known.sizes[0]
        total = sum(count for _, count in known.sizes)
        found = (
            f"{len(sizes)} sizes from {_written(by_area[0])} to {_written(by_area[-1])}, most often"
            f" {_written((height, width))} ({count} of {total}); data.image_size={min(height, width)} makes them one"
        )
        rule = "all images have one size, or data.image_size is given,"
        raise ConfigError(f"`{rule}` must hold, but got {found} (height x width).")
    return sizes[0]


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _bad(decoded: Decoded, listing: Listing) -> tuple[tuple[str, str], ...]:
    return tuple((listing.names[number], why) for number, why in decoded.bad)


def _refuse_bad(bad: Sequence[tuple[int, str]], listing: Listing, config: ImagesConfig) -> None:
    if len(bad) == len(listing.files):
        number, why = bad[0]
        rule = "one of the images can be read"
        raise ConfigError(f"`{rule}` must hold, but got data.path={config.path}: {listing.names[number]}: {why}.")
    if bad and config.on_error == "refuse":
        number, why = bad[0]
        others = f"{len(bad) - 1} other file{'s' if len(bad) > 2 else ''}"
        more = f" {others} cannot be read either." if len(bad) > 1 else ""
        cure = f"data.on_error=skip leaves {'it' if len(bad) == 1 else 'them'} out"
        rule = "each file can be read as an image"
        raise ConfigError(f"`{rule}` must hold, but got {listing.names[number]}: {why}.{more} {cure}.")


def _require_classes(y_N: np.ndarray, listing: Listing, config: ImagesConfig) -> None:
    """Raise ConfigError where no file of a class is left."""
    gone = sorted(set(range(len(listing.class_names))) - set(np.unique(y_N).tolist()))
    rule = "each class has an image that can be read"
    require(not gone, rule, "data.path", f"{config.path} with none of {listing.class_names[gone[0]] if gone else ''}")
