"""The contact sheet that prepare.sheet=FILE.png asks for: some images of each class, as they are and as augmented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ridgeline.checking import ConfigError
from ridgeline.config import Config, parse
from ridgeline.report.contact_sheet import BESIDE, GAP, IN_A_ROW, LINE, groups_of
from ridgeline.trial.contact_sheet import write_contact_sheet

SIDE = 8
COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


def settings(path: Path, **augmentation: float) -> Config:
    data = {"name": "arrays", "path": str(path)}
    others = {"network": {"name": "mlp", "hidden": [4]}, "optimizer": {"name": "adam", "lr": 0.01}}
    return parse({"data": data, **others, "augmentation": augmentation})


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """Images of one colour, which names their class, with a white upper left corner."""
    names = np.repeat(list(COLOURS), 40)
    x_NHW3 = np.array([COLOURS[name] for name in names], np.uint8)[:, None, None].repeat(SIDE, 1).repeat(SIDE, 2)
    x_NHW3[:, :4, :4] = 255
    np.savez(tmp_path / "colours.npz", x=x_NHW3, y=names)
    return tmp_path / "colours.npz"


def tiles(sheet: Path, n_rows: int) -> np.ndarray:
    """(rows, IN_A_ROW, H, W, 3) The images on a sheet."""
    pixels, side = np.asarray(Image.open(sheet)), 8 * SIDE
    assert pixels.shape == (LINE + n_rows * (side + GAP) + GAP, BESIDE + IN_A_ROW * (side + GAP) + GAP, 3)
    cut = pixels[LINE:-GAP, BESIDE:-GAP].reshape(n_rows, side + GAP, IN_A_ROW, side + GAP, 3)
    return cut[:, :side, :, :side].transpose(0, 2, 1, 3, 4)


def test_sheet_has_a_row_of_images_for_each_class_in_their_colours(colours: Path, tmp_path: Path) -> None:
    write_contact_sheet(settings(colours), tmp_path / "new" / "sheet.png")
    for row, colour in zip(tiles(tmp_path / "new" / "sheet.png", 3), COLOURS.values(), strict=True):
        assert (row[:, :32, :32] == 255).all()
        assert (row[:, 32:] == colour).all()
        assert (row[:, :, 32:] == colour).all()


def test_sheet_has_the_same_images_augmented_below(colours: Path, tmp_path: Path) -> None:
    write_contact_sheet(settings(colours, flip=1.0), tmp_path / "sheet.png")
    rows = tiles(tmp_path / "sheet.png", 6)
    np.testing.assert_allclose(rows[1::2].astype(int), rows[::2, :, :, ::-1].astype(int), atol=1)


def test_groups_are_the_classes_or_stretches_of_the_target() -> None:
    named = [(name, n, rows.tolist()) for name, n, rows in groups_of(np.array([1, 0, 1]), ("a", "b"))]
    assert named == [("a", 1, [1]), ("b", 2, [0, 2])]
    stretches = list(groups_of(np.arange(100.0)[::-1], ()))
    assert [name for name, _, _ in stretches][::4] == ["0 to 19", "80 to 99"]
    assert stretches[0][2].tolist() == list(range(80, 92))


def test_sheet_of_what_are_no_images_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(60, 4)), y=np.repeat([0, 1], 30))
    given: dict[str, Any] = {"match": r"`prepare\.sheet only of images` must hold, but got data\.name=arrays"}
    with pytest.raises(ConfigError, **given):
        write_contact_sheet(settings(tmp_path / "rows.npz"), tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
