"""A champion of images predicts those of a folder or a glob, decoded as those that it was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pictures import drawn, folder, images
from ridgeline.api.champion import Champion
from ridgeline.api.given import data_settings
from ridgeline.checking import ConfigError
from ridgeline.data import load_splits
from ridgeline.evaluation.scoring import predict_file
from ridgeline.images.decoding import decode
from ridgeline.stack.fitted import Fitted, load_fitted
from ridgeline.stack.fitting import fit
from ridgeline.stack.networks import shape_of


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Trained on images of 8 x 8 pixels, stored, and read back where those are no more."""
    root = tmp_path_factory.mktemp("champion")
    config = images(folder(root / "pets", n=30), data__image_size=[6, 4], trainer__max_epochs=30, optimizer__lr=0.01)
    splits = load_splits(config.data)
    (result,) = fit([config], splits)
    names = splits.description.class_names
    Fitted(config, result.weights, splits.scaler, shape_of(splits), names).save(root / "champion")
    (root / "pets").rename(root / "elsewhere")
    return load_fitted(root / "champion")


def test_images_of_a_folder_or_a_glob_are_predicted_by_their_names(champion: Fitted, tmp_path: Path) -> None:
    new, out = tmp_path / "new", tmp_path / "out.csv"
    (new / "more").mkdir(parents=True)
    for i in range(6):
        image = drawn(9000 + i, colour=i % 2)
        image.save(new / f"{i}.png") if i < 4 else image.save(new / f"more/{i}.bmp")
    (new / "notes.txt").write_text("x")
    assert predict_file(champion, str(new), out) == 6
    found = pd.read_csv(out)
    assert list(found) == ["file", "prediction", "probability_cats", "probability_dogs"]
    assert list(found["file"]) == ["0.png", "1.png", "2.png", "3.png", "more/4.bmp", "more/5.bmp"]
    assert list(found["prediction"]) == ["cats", "dogs"] * 3
    own = decode((new / "3.png").read_bytes(), 3, (6, 4))
    expected = champion.predict(own.reshape(1, -1))[0]
    assert np.allclose(found.loc[3, ["probability_cats", "probability_dogs"]].to_numpy(float), expected, atol=1e-6)
    assert predict_file(champion, str(new / "*.png"), out) == 4
    assert predict_file(champion, str(new / "more/4.bmp"), out) == 1
    assert list(Champion("ridgeline-pets/1", champion).predict(new)) == ["cats", "dogs"] * 3


def test_what_cannot_be_predicted_is_refused_and_leaves_no_file(champion: Fitted, tmp_path: Path) -> None:
    new, out = tmp_path / "new", tmp_path / "out.csv"
    new.mkdir()
    with pytest.raises(ConfigError, match=r"data\.path has images` must hold, but got data\.path=.*new without one"):
        predict_file(champion, str(new), out)
    Image.new("RGB", (8, 8)).save(new / "a.png")
    (new / "b.png").write_text("x")
    with pytest.raises(ConfigError, match=r"each file can be read as an image.*new: b\.png: it is text"):
        predict_file(champion, str(new), out)
    with pytest.raises(ConfigError, match=r"keep=\[\] for images"):
        predict_file(champion, str(new), out, "id")
    assert not out.exists()


def test_a_broken_image_is_left_out_and_listed_where_that_is_asked_for(
    champion: Fitted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, out = tmp_path / "new", tmp_path / "out.csv"
    new.mkdir()
    (new / "b.png").write_text("x")
    with pytest.raises(ConfigError, match=r"one of the images can be read` must hold, .*b\.png: it is text"):
        predict_file(champion, str(new), out, on_error="skip")
    for name in ("a.png", "c.png"):
        drawn(9001, colour=1).save(new / name)
    assert predict_file(champion, str(new), out, on_error="skip") == 2
    assert list(pd.read_csv(out)["file"]) == ["a.png", "c.png"]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 of 3 files cannot be read and are left out (data.on_error=skip):"
    assert said[1].startswith("  b.png: it is text")


def test_images_of_a_csv_of_paths_are_predicted_row_by_row(champion: Fitted, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for i in range(3):
        drawn(9000 + i, colour=i % 2).save(tmp_path / f"{i}.png")
    table = tmp_path / "new.csv"
    table.write_text(f"id,photo\n7,1.png\n8,0.png\n9,{tmp_path}/2.png\n")
    assert predict_file(champion, str(table), out, "id", image="photo") == 3
    found = pd.read_csv(out)
    assert list(found) == ["photo", "id", "prediction", "probability_cats", "probability_dogs"]
    assert list(found["prediction"]) == ["dogs", "cats", "cats"]
    assert list(found["photo"])[:2] == ["1.png", "0.png"]
    table.write_text("id,photo\n7,1.png\n8,\n")
    with pytest.raises(ConfigError, match=r"data\.image has a path in each row` must hold"):
        predict_file(champion, str(table), out, image="photo")
    with pytest.raises(ConfigError, match="photos"):
        predict_file(champion, str(table), out, image="photos")


def test_a_folder_that_is_given_in_python_is_one_of_images(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    assert data_settings(tmp_path / "pets", None, tmp_path) == ["data=images", f"data.path={tmp_path}/pets"]
