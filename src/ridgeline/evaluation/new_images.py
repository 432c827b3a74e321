"""New images as a model takes them: those of a folder, of a glob, or that a CSV has the paths of.

N images, I features: the pixels, one channel after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ridgeline.checking import require
from ridgeline.config import ImagesConfig
from ridgeline.stack.fitted import Fitted

FILE = "file"
"""The column with the names of images."""
LISTED = 5
"""Files that are left out, of which there is a line."""


@dataclass(frozen=True)
class NewImages:
    """`files`, and `frame`: what is known of each, in a row; its first column is what they are called."""

    files: Sequence[Path]
    frame: pd.DataFrame


def find_new_images(fitted: Fitted, path: str, column: str | None = None) -> NewImages:
    """`column`: of a CSV, which one has the paths; None: as in the study, unless `path` is an image. Raises
    ConfigError, one line, where there is none."""
    from ridgeline.images.folders import SUFFIXES, find_path, some_images  # Pillow, which tables do without

    data = fitted.config.data
    if column is None and isinstance(data, ImagesConfig) and not path.lower().endswith(SUFFIXES):
        column = data.image if Path(path).expanduser().is_file() else None
    if column is None:
        found = some_images(path, "data.path")
        return NewImages(list(found.values()), pd.DataFrame({FILE: list(found)}))
    from ridgeline.tables.frames import open_table
    from ridgeline.tables.target import column_of

    place = find_path(path, "data.path")
    require(place.is_file(), "data.path is a CSV with data.image", "data.path", path)
    reading = open_table(path, strings=(column,))
    paths = column_of(reading.frame, column, "data.image")
    if paths.isna().any():
        row = reading.place(int(paths.isna().to_numpy().argmax()))
        require(False, "data.image has a path in each row", "data.image", f"{column} with none in {row}")
    others = [name for name in reading.frame.columns if name != column]
    return NewImages([place.parent / str(name) for name in paths], reading.frame[[column, *others]])


def image_rows(
    fitted: Fitted, images: NewImages, path: str, *, skip: bool = False, say: Callable[[str], None] = print
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Some rows of the frame at a time, and the pixels of their images, of the size and the channels that the model was
    trained on. `skip`: files that are no images are left out, and listed at the end; else the first is refused."""
    from ridgeline.images.chunks import chunk_size
    from ridgeline.images.reading import pixels

    assert fitted.shape.image is not None
    n_channels, height, width = fitted.shape.image
    size, left = chunk_size(fitted.n_features), list[str]()
    for start in range(0, len(images.files), size):
        frame = images.frame.iloc[start : start + size]
        found = list(pixels(images.files[start : start + size], n_channels, (height, width)))
        names = frame.iloc[:, 0].astype(str).tolist()
        bad = [(i, f"{names[i]}: {own}") for i, own in enumerate(found) if isinstance(own, str)]
        if bad and not skip:
            cure = "(data.on_error=skip leaves such files out)"
            require(False, f"each file can be read as an image {cure}", "data.path", f"{path}: {bad[0][1]}")
        left += [why for _, why in bad]
        good = [own for own in found if not isinstance(own, str)]
        if good:
            yield frame.drop(index=frame.index[[i for i, _ in bad]]), np.stack(good).reshape(len(good), -1)
    if len(left) == len(images.files):
        require(False, "one of the images can be read", "data.path", f"{path}: {left[0]}")
    if left:
        say(f"{len(left)} of {len(images.files)} files cannot be read and are left out (data.on_error=skip):")
        for line in left[:LISTED]:
            say(f"  {line}")
        if len(left) > LISTED:
            say(f"  ... and {len(left) - LISTED} more")
