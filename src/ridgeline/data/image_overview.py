"""What was understood of images in files, before anything trains: kinds, sizes, classes, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ridgeline.config import ImagesConfig
from ridgeline.data.arrays import load_arrays
from ridgeline.data.class_overview import class_lines
from ridgeline.data.leak_check import what_looks_wrong
from ridgeline.data.source import ImageFacts
from ridgeline.data.sources import read_source
from ridgeline.finding import Overview

SHOWN = 20
"""Of so many bad files at most there is a line."""


def look_at_images(config: ImagesConfig) -> Overview:
    """Of all files, but for the classes, which are those of the train and the validation split."""
    source, known = read_source(config), load_arrays(config)
    facts, shape = source.images, source.image_shape
    assert facts is not None
    assert shape is not None
    lines = [*_of_files(facts, config), *_of_pixels(facts, shape, known.scalers[0].mean_I, known.scalers[0].std_I)]
    if source.class_names:
        lines += class_lines(config)
    return Overview((*lines, ""), what_looks_wrong(config))


def _of_files(facts: ImageFacts, config: ImagesConfig) -> Iterator[str]:
    seen = facts.survey
    yield f"images: {len(facts.names)} of {config.title}, {_counts(seen.formats)}; {_counts(seen.modes)}"
    if seen.turned:
        yield f"        {seen.turned} are turned as their EXIF says"
    if seen.animated:
        yield f"        of {seen.animated} with several frames the first is taken"
    yield from (f"        {line}" for line in facts.said)
    if facts.bad:
        yield f"        {len(facts.bad)} files are left out:"
        yield from (f"          {name}: {why}" for name, why in facts.bad[:SHOWN])
        if len(facts.bad) > SHOWN:
            yield f"          ... and {len(facts.bad) - SHOWN} more"


def _of_pixels(facts: ImageFacts, shape: tuple[int, int, int], mean_I: np.ndarray, std_I: np.ndarray) -> Iterator[str]:
    n_channels, height, width = shape
    colours = "grey" if n_channels == 1 else "colours"
    sizes = facts.survey.sizes
    own = "their own size" if [size for size, _ in sizes] == [(height, width)] else _sizes(sizes)
    yield f"pixels: {height} x {width}, {colours}: {own}"
    step = height * width
    means, stds = (", ".join(f"{value:.1f}" for value in own_I[::step]) for own_I in (mean_I, std_I))
    yield f"        less {means}, divided by {stds} for training (of bytes from 0 to 255)"


def _sizes(sizes: Sequence[tuple[tuple[int, int], int]]) -> str:
    areas = sorted((size for size, _ in sizes), key=lambda size: size[0] * size[1])
    low, high = (f"{height} x {width}" for height, width in (areas[0], areas[-1]))
    kinds = f"{len(sizes)} sizes from {low} to {high}" if len(sizes) > 1 else low
    return f"cropped and resized from {kinds}"


def _counts(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts)
