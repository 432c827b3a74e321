"""Settings of data=images: a folder with a folder of images for each class, or a CSV of paths and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ridgeline.checking import build, require
from ridgeline.config.data import DataConfig
from ridgeline.config.table import column_task
from ridgeline.tasks.losses import Task

LARGEST_SIDE = 4096


@dataclass(frozen=True)
class ImagesConfig(DataConfig):
    """`path`: a folder with a folder for each class, above which may be train, validation and test; or a CSV, whose
    column `image` has paths, from where the CSV lies, and `target` what is predicted; `split_column` says which split a
    row is in.

    `image_size`: the side, or [height, width], that images are cropped and resized to; None: they all have one size.
    `channels`: 1 for grey, 3 for colours; auto: grey where all are. `on_error`: what happens if a file is broken.
    `leaks`: what happens if an image of the validation or test split is in the train split too.
    """

    name: Literal["images"] = "images"
    image: str | None = None
    target: str | None = None
    split_column: str | None = None
    image_size: int | tuple[int, ...] | None = None
    channels: Literal["auto", 1, 3] = "auto"
    standardize: Literal["none", "all", "channel"] = "channel"
    on_error: Literal["refuse", "skip"] = "refuse"
    leaks: Literal["warn", "refuse"] = "warn"

    def check(self) -> None:
        super().check()
        require(self.path is not None, "data.path=FOLDER_OR_CSV is given with data=images", "data.path", "null")
        require(self.test_path is None, "data.test_path only with data=table", "data.test_path", self.test_path)
        rule = "data.image and data.target are both given, for a CSV, or none is"
        given = [f"data.{key}={getattr(self, key)}" for key in ("image", "target")]
        require((self.image is None) == (self.target is None), rule, given[0], f"{self.image} {given[1]}")
        rule = "data.split_column only with data.image and data.target, of a CSV"
        require(self.split_column is None or self.is_listing, rule, "data.split_column", self.split_column)
        if self.image_size is not None:
            sides = self.image_size if isinstance(self.image_size, tuple) else (self.image_size,)
            rule = f"data.image_size is a side or [height, width], each from 1 to {LARGEST_SIDE}"
            shown = list(sides) if isinstance(self.image_size, tuple) else self.image_size
            holds = (len(sides) == 2 or shown == self.image_size) and all(1 <= s <= LARGEST_SIDE for s in sides)
            require(holds, rule, "data.image_size", shown)

    @property
    def is_listing(self) -> bool:
        """Whether a CSV is given that lists the images."""
        return self.image is not None

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W)."""
        if self.image_size is None:
            return None
        sides = (self.image_size,) * 2 if isinstance(self.image_size, int) else self.image_size
        return sides[0], sides[1]

    @property
    def has_test_split(self) -> bool:
        if self.is_listing:
            return self.split_column is not None
        return any((Path(str(self.path)).expanduser() / name).is_dir() for name in ("test", "testing"))

    @property
    def title(self) -> str:
        """The name of the folder, or of the CSV without its ending."""
        place = Path(str(self.path)).expanduser()
        return (place.name.partition(".")[0] if self.is_listing else place.resolve().name) or "images"


def images_task(data: Mapping[str, Any]) -> Task:
    """What is predicted: of folders a class, of a CSV by its column. Raises ConfigError for a file or a column that is
    not there."""
    config = build(DataConfig, data, "data")
    assert isinstance(config, ImagesConfig)
    return column_task(str(config.path), str(config.target)) if config.is_listing else "classification"
