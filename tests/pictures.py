"""Folders of small images for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ridgeline.config import Config, ImagesConfig
from settings import small


def drawn(seed: int, size: tuple[int, int] = (8, 8), colour: int = 0) -> Image.Image:
    """Noise, with more of one colour."""
    pixels = np.random.default_rng(seed).integers(0, 160, (*size, 3))
    pixels[..., colour] += 80
    return Image.fromarray(pixels.astype(np.uint8))


def folder(
    place: Path, n: int = 12, classes: Sequence[str] = ("cats", "dogs"), splits: Sequence[str] = ("",), **options: Any
) -> Path:
    """`n` images of each class in each split, all different."""
    for s, split in enumerate(splits):
        for c, name in enumerate(classes):
            (place / split / name).mkdir(parents=True)
            for i in range(n):
                drawn(1000 * s + 100 * c + i, colour=c % 3, **options).save(place / split / name / f"{i:02}.png")
    return place


def images(path: Path, **others: Any) -> Config:
    """A configuration of these data; `data__` before a key of theirs."""
    return small(data__name="images", data__path=str(path), **others)


def data_of(path: Path, **others: Any) -> ImagesConfig:
    config = images(path, **{f"data__{key}": value for key, value in others.items()}).data
    assert isinstance(config, ImagesConfig)
    return config
