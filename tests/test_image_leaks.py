"""Images that are in two splits, or nearly so, are counted and named; others are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pictures import data_of, drawn, folder
from ridgeline.checking import ConfigError
from ridgeline.data.leak_check import check_leaks, what_looks_wrong
from ridgeline.images.twins import twins
from settings import small


def photograph(seed: int, side: int = 32) -> Image.Image:
    """Smooth, as what a camera sees."""
    few = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(few).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Train and test folders of photographs, all different."""
    for s, split in enumerate(("train", "test")):
        for c, name in enumerate(("cats", "dogs")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(20):
                photograph(1000 * s + 100 * c + i).save(tmp_path / split / name / f"{i:02}.png")
    return tmp_path


def said(place: Path, **data: object) -> str:
    return "\n".join(str(leak) for leak in check_leaks(data_of(place, **data)))


def test_images_that_are_all_different_are_no_leak(pets: Path) -> None:
    assert what_looks_wrong(data_of(pets)) == ()


def test_an_image_in_two_splits_is_named_whatever_its_file_is_called(pets: Path) -> None:
    shutil.copy(pets / "train/cats/03.png", pets / "test/dogs/copy.png")
    Image.open(pets / "train/dogs/04.png").save(pets / "test/dogs/other.bmp")
    lines = said(pets)
    assert "2 of 42 images of the test split are in the train or validation split too" in lines
    assert "test/dogs/copy.png and train/cats/03.png" in lines
    with pytest.raises(ConfigError, match=r"no leak with data\.leaks=refuse` must hold, but 2 of 42 images"):
        said(pets, leaks="refuse")


def test_copies_that_were_saved_anew_or_changed_a_little_are_found(pets: Path) -> None:
    image = photograph(5)  # train/cats/05.png
    image.save(pets / "test/cats/jpeg.jpg", quality=80)
    ImageEnhance.Brightness(image).enhance(0.9).save(pets / "test/cats/darker.png")
    image.resize((24, 24), Image.Resampling.LANCZOS).resize((32, 32)).save(pets / "test/cats/smaller.png")
    lines = said(pets)
    assert "3 of 43 images of the test split look nearly like one of the train or validation split" in lines
    assert "test/cats/jpeg.jpg and train/cats/05.png" in lines


def test_an_image_in_two_classes_is_named(pets: Path) -> None:
    assert what_looks_wrong(data_of(pets)) == ()
    shutil.copy(pets / "train/cats/03.png", pets / "train/dogs/also.png")
    (finding,) = [found for found in what_looks_wrong(data_of(pets, seed=1)) if not found.is_leak]
    assert str(finding) == (
        "2 of 41 images of the train and validation split are there in another class too"
        " (train/cats/03.png and train/dogs/also.png): leave each in the class that it is of."
    )


def test_simple_drawings_that_only_resemble_each_other_are_no_leak() -> None:
    x_NHW = np.zeros((40, 16, 16), np.uint8)
    x_NHW[:, 2:8, 2:8] = 255
    for i in range(40):  # a square, and a dot somewhere below it
        row, column = divmod(i, 8)
        x_NHW[i, 9 + row, 2 * column : 2 * column + 2] = 255
    splits = np.split(np.arange(40), [20, 20])
    assert twins(lambda rows: x_NHW.reshape(40, -1)[rows], (1, 16, 16), *splits) == []


def test_fold_and_retraining_splits_are_compared_with_the_test_split_alone(tmp_path: Path) -> None:
    place = folder(tmp_path / "pets", n=20)
    drawn(1).save(place / "cats/50.png")  # cats/01.png
    found = [leak for leak in what_looks_wrong(data_of(place, folds=4)) if "validation" in leak.what]
    assert found == []


@pytest.mark.parametrize("kind", ["bytes", "from 0 to 1", "of mean 0"])
def test_images_of_arrays_are_named_by_their_place(kind: str, tmp_path: Path) -> None:
    x_NHWC = np.stack([np.asarray(photograph(seed)) for seed in range(60)])
    x_NHWC[50] = x_NHWC[7]
    own = {"bytes": x_NHWC, "from 0 to 1": x_NHWC / 255, "of mean 0": (x_NHWC - 128.0) / 64}
    x_NHWC = own[kind]
    y_N = np.arange(60) % 2
    np.savez(tmp_path / "x.npz", x=x_NHWC[:40], y=y_N[:40], x_test=x_NHWC[40:], y_test=y_N[40:])
    (leak,) = check_leaks(small(data__name="arrays", data__path=str(tmp_path / "x.npz")).data)
    assert "1 of 20 images of the test split are in the train or validation split too (image 50 and image 7)" in str(
        leak
    )


def test_copies_among_images_of_floats_are_found_and_different_ones_are_not(tmp_path: Path) -> None:
    x_NHWC = np.stack([np.asarray(photograph(seed)) for seed in range(60)]) / 255
    y_N = np.arange(60) % 2

    def leaks(name: str) -> str:
        np.savez(tmp_path / name, x=x_NHWC[:40], y=y_N[:40], x_test=x_NHWC[40:], y_test=y_N[40:])
        return " ".join(map(str, check_leaks(small(data__name="arrays", data__path=str(tmp_path / name)).data)))

    assert leaks("different.npz") == ""
    x_NHWC[50] = 0.9 * x_NHWC[7]
    assert "1 of 20 images of the test split look nearly like one" in leaks("darker.npz")
