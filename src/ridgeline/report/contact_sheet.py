"""A contact sheet: images of each class, and the same ones as augmentation may show them to a network.

N examples, M of them on the sheet, C channels, H and W an image's sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ridgeline.report.notation import percent
from ridgeline.report.pixels import as_shown

MOST_CLASSES = 20
IN_A_ROW = 12
SIDE, LARGEST = 64, 96
"""Pixels: small images are enlarged until they are about as large as the one, large ones shrunk to the other."""
GAP, BESIDE, LINE = 4, 150, 22
TALL = 30
"""Pixels that the name of a row takes, and what is below it."""
INK, FAINT, PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)


@dataclass(frozen=True)
class Group:
    """Images of a class, or in regression of a stretch of the target, `n` in the train split, of which `images` are
    shown. `augmented`: the same ones; None: they are not augmented."""

    name: str
    n: int
    images_MCHW: np.ndarray
    augmented_MCHW: np.ndarray | None = None


def groups_of(y_N: np.ndarray, class_names: Sequence[str]) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, number of examples and the first rows of each class; without classes, of each fifth of the targets."""
    if class_names:
        for number, name in enumerate(class_names[:MOST_CLASSES]):
            rows = np.flatnonzero(y_N == number)
            yield name, len(rows), rows[:IN_A_ROW]
        return
    for rows in np.array_split(np.argsort(y_N, kind="stable"), 5):
        own_N = y_N[rows]
        yield f"{own_N.min():.4g} to {own_N.max():.4g}", len(rows), np.sort(rows)[:IN_A_ROW]


def write_sheet(groups: Sequence[Group], total: int, title: str, path: Path) -> None:
    """A PNG. `total`: examples in all classes, of which each group's share is told."""
    everything = [group.images_MCHW for group in groups]
    low, high = min(float(x.min()) for x in everything), max(float(x.max()) for x in everything)
    height, width = _shown_size(*everything[0].shape[2:])
    rows, tall = [row for group in groups for row in _rows(group, total)], max(height, TALL)
    size = BESIDE + IN_A_ROW * (width + GAP) + GAP, LINE + len(rows) * (tall + GAP) + GAP
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, INK, _font(13))
    for i, (name, beside, images_MCHW) in enumerate(rows):
        top = LINE + i * (tall + GAP)
        draw.text((GAP, top), _fitting(name, draw), INK, _font(12))
        draw.text((GAP, top + 15), beside, FAINT, _font(10))
        for j, image_CHW in enumerate(images_MCHW):
            image = Image.fromarray(as_shown(image_CHW, low, high))
            scaling = Image.Resampling.NEAREST if width >= image.width else Image.Resampling.LANCZOS
            sheet.paste(image.resize((width, height), scaling), (BESIDE + j * (width + GAP), top))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _rows(group: Group, total: int) -> Iterator[tuple[str, str, np.ndarray]]:
    yield group.name, f"{group.n} ({percent(group.n / total, 1)})", group.images_MCHW
    if group.augmented_MCHW is not None:
        yield "", "augmented", group.augmented_MCHW


def _shown_size(height: int, width: int) -> tuple[int, int]:
    longest = max(height, width)
    if longest <= LARGEST:
        times = max(1, SIDE // longest)
        return height * times, width * times
    return max(1, round(height * LARGEST / longest)), max(1, round(width * LARGEST / longest))


def _fitting(name: str, draw: ImageDraw.ImageDraw) -> str:
    """The name, cut where it would run into the images."""
    if draw.textlength(name, _font(12)) <= BESIDE - 3 * GAP:
        return name
    while name and draw.textlength(f"{name}...", _font(12)) > BESIDE - 3 * GAP:
        name = name[:-1]
    return f"{name}..."


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)
