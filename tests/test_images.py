"""data=images: every usual kind of image becomes the bytes that it shows, once; splits are maps of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pictures import data_of, drawn, folder, images
from ridgeline.checking import ConfigError
from ridgeline.data import Scaler, Split, load_splits
from ridgeline.data.arrays import load_arrays, notes_of
from ridgeline.data.sources import read_source
from ridgeline.data.splits import _load
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.images import reading
from ridgeline.images.decoding import decode
from ridgeline.stack.fitting import fit
from ridgeline.tables import notes

COLOURS = np.asarray(drawn(0, (6, 9)))
GREY = COLOURS[..., 0]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "SETTLED", -60)  # as if the files had lain there for a while


def forget() -> None:
    """As a process that starts."""
    load_arrays.cache_clear()
    _load.cache_clear()


def palette() -> Image.Image:
    """Four colours."""
    return Image.fromarray((COLOURS // 128) * 100).quantize(8)


ALPHA = np.dstack([COLOURS, np.where(GREY > 100, 255, 0).astype(np.uint8)])
OVER_WHITE = np.where(ALPHA[..., 3:] == 255, COLOURS, 255)
SIXTEEN = GREY.astype(np.uint16) * 257
KINDS: dict[str, tuple[Image.Image, str, dict[str, Any], np.ndarray]] = {
    "colours, PNG": (Image.fromarray(COLOURS), "PNG", {}, COLOURS),
    "colours, BMP": (Image.fromarray(COLOURS), "BMP", {}, COLOURS),
    "colours, WebP": (Image.fromarray(COLOURS), "WEBP", {"lossless": True}, COLOURS),
    "colours, TIFF": (Image.fromarray(COLOURS), "TIFF", {}, COLOURS),
    "grey, PNG": (Image.fromarray(GREY), "PNG", {}, np.dstack([GREY] * 3)),
    "grey, GIF": (Image.fromarray(GREY), "GIF", {}, np.dstack([GREY] * 3)),
    "black and white, PNG": (Image.fromarray(GREY > 100), "PNG", {}, np.dstack([np.where(GREY > 100, 255, 0)] * 3)),
    "palette, PNG": (palette(), "PNG", {}, np.asarray(palette().convert("RGB"))),
    "palette, GIF": (palette(), "GIF", {}, np.asarray(palette().convert("RGB"))),
    "alpha, PNG": (Image.fromarray(ALPHA), "PNG", {}, OVER_WHITE),
    "alpha, WebP": (Image.fromarray(ALPHA), "WEBP", {"lossless": True, "exact": True}, OVER_WHITE),
    "16 bit, PNG": (Image.fromarray(SIXTEEN), "PNG", {}, np.dstack([GREY] * 3)),
    "16 bit, TIFF": (Image.fromarray(SIXTEEN), "TIFF", {}, np.dstack([GREY] * 3)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_becomes_the_bytes_that_it_shows(kind: str, tmp_path: Path) -> None:
    image, form, options, shown = KINDS[kind]
    image.save(tmp_path / "x", form, **options)
    found = decode((tmp_path / "x").read_bytes(), 3)
    assert found.dtype == np.uint8
    assert np.array_equal(found, shown.transpose(2, 0, 1))


@pytest.mark.parametrize(("form", "options"), [("JPEG", {"quality": 95}), ("JPEG CMYK", {"quality": 95})])
def test_a_photograph_is_near_what_was_saved(form: str, options: dict[str, Any], tmp_path: Path) -> None:
    smooth = Image.fromarray(COLOURS).resize((64, 64), Image.Resampling.BICUBIC)
    smooth.convert("CMYK" if "CMYK" in form else "RGB").save(tmp_path / "x", "JPEG", subsampling=0, **options)
    found = decode((tmp_path / "x").read_bytes(), 3).transpose(1, 2, 0).astype(int)
    assert np.abs(found - np.asarray(smooth)).mean() < 4


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_image_is_turned_as_its_exif_says(form: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    tall = Image.fromarray(np.vstack([np.full((8, 8), 20, np.uint8), np.full((8, 8), 220, np.uint8)]))
    tall.save(tmp_path / "x", form, exif=exif)
    content = (tmp_path / "x").read_bytes()
    found = decode(content, 1)[0]
    assert found.shape == (8, 16)
    assert (found[:, 2] > 200).all()  # what was below is left
    seen = reading.look(content)
    assert ((seen.height, seen.width), seen.is_turned) == ((8, 16), True)


def test_images_are_resized_and_cropped_as_torchvision_does(tmp_path: Path) -> None:
    wide = drawn(3, (20, 60))
    wide.save(tmp_path / "x.png")
    resized = np.asarray(wide.resize((30, 10), Image.Resampling.BILINEAR))  # Resize(10), then CenterCrop(10)
    found = decode((tmp_path / "x.png").read_bytes(), 3, (10, 10)).transpose(1, 2, 0)
    assert np.abs(found.astype(int) - resized[:, 10:20]).max() <= 1


def test_folders_are_classes_and_those_above_are_splits(tmp_path: Path) -> None:
    folder(tmp_path / "pets", splits=["train", "valid", "Test"])
    (tmp_path / "pets/train/cats/more").mkdir()
    drawn(77).save(tmp_path / "pets/train/cats/more/77.PNG")
    (tmp_path / "pets/train/cats/Thumbs.db").write_text("x")
    (tmp_path / "pets/train/cats/.DS_Store").write_text("x")
    (tmp_path / "pets/train/cats/notes.txt").write_text("x")
    config = data_of(tmp_path / "pets")
    loaded = load_splits(config)
    assert loaded.description.examples == (25, 24, 24)
    assert (loaded.image_shape, loaded.description.class_names) == ((3, 8, 8), ("cats", "dogs"))
    source = read_source(config)
    assert source.images is not None
    assert source.images.said == ("left aside: 1 .txt files, 2 hidden files",)
    assert "train/cats/more/77.PNG" in source.images.names


def test_without_such_folders_the_splits_are_drawn(tmp_path: Path) -> None:
    folder(tmp_path / "pets", n=20)
    assert load_splits(data_of(tmp_path / "pets")).description.examples == (24, 8, 8)
    folder(tmp_path / "trains", n=20, classes=["train", "car"])  # which is a class here
    assert load_splits(data_of(tmp_path / "trains")).description.class_names == ("car", "train")


def test_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    folder(tmp_path / "digits", classes=["10", "9", "0"])
    assert load_splits(data_of(tmp_path / "digits")).description.class_names == ("0", "9", "10")


def test_a_csv_names_images_labels_and_splits(tmp_path: Path) -> None:
    folder(tmp_path / "pets", n=20)
    rows = [
        f"pets/{name}/{i:02}.png,{name},{'test' if i > 15 else 'train'}" for name in ("dogs", "cats") for i in range(20)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,part", *rows]))
    keys = {"image": "file", "target": "label", "split_column": "part"}
    loaded = load_splits(data_of(tmp_path / "labels.csv", **keys))
    assert loaded.description.examples == (24, 8, 8)
    assert loaded.description.class_names == ("cats", "dogs")


def test_a_csv_of_numbers_is_a_regression(tmp_path: Path) -> None:
    folder(tmp_path / "pets", n=30)
    rows = [f"pets/cats/{i:02}.png,{i + 0.5}" for i in range(30)]
    (tmp_path / "ages.csv").write_text("\n".join(["file,age", *rows]))
    config = images(tmp_path / "ages.csv", data__image="file", data__target="age")
    assert config.predicted == "regression"
    assert load_splits(config.data).train.y_N.dtype == torch.float32


def as_floats(split: Split, scalers: Sequence[Scaler]) -> Split:
    folds = zip(scalers, split.x_NI.numpy().reshape(split.folds, split.n, -1), strict=True)
    x_NI = np.concatenate([(x_MI.astype(np.float32) - scaler.mean_I) / scaler.std_I for scaler, x_MI in folds])
    return replace(split, x_NI=torch.from_numpy(x_NI), pixels=None)


@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("standardize", ["none", "all", "channel"])
def test_bytes_train_as_features_that_were_standardized_before(
    folds: int | None, standardize: str, tmp_path: Path
) -> None:
    folder(tmp_path / "pets", n=20)
    config = images(tmp_path / "pets", data__folds=folds, data__standardize=standardize, trainer__batch_size=7)
    splits = load_splits(config.data)
    assert splits.train.x_NI.dtype == torch.uint8
    of = partial(as_floats, scalers=splits.scalers)
    floats = replace(splits, train=of(splits.train), validation=of(splits.validation))
    configs = [replace(config, seed=seed) for seed in (1, 2)]
    for ours, theirs in zip(fit(configs, splits), fit(configs, floats), strict=True):
        assert ours.history == theirs.history
        assert all(torch.equal(tensor, theirs.weights[name]) for name, tensor in ours.weights.items())


def test_features_are_standardized_by_each_channel_of_the_train_split(tmp_path: Path) -> None:
    folder(tmp_path / "pets", n=20)
    config = data_of(tmp_path / "pets")
    splits, source = load_splits(config), read_source(config)
    x_NCP = splits.train.features_MI(slice(None)).view(len(splits.train.y_N), 3, -1).double()
    assert x_NCP.mean(dim=(0, 2)).abs().max() < 1e-6
    assert (x_NCP.std(dim=(0, 2), correction=0) - 1).abs().max() < 1e-6
    plain = load_splits(data_of(tmp_path / "pets", standardize="none"))
    assert np.array_equal(plain.train.features_MI(slice(3)), plain.train.x_NI[:3].float() / 255)
    with confirming():
        test, _ = open_test_split(config, tmp_path / "ledger.jsonl", {})
    seen = {row.numpy().tobytes() for split in (splits.train, splits.validation) for row in split.x_NI}
    tested = {row.numpy().tobytes() for row in test.x_NI}
    assert len(seen) + len(tested) == len(source.y_N) == len(seen | tested)
    assert torch.equal(test.features_MI(slice(None)), splits.train.standardized(test.x_NI))


def test_a_second_start_reads_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "pets")
    first = load_splits(data_of(tmp_path / "pets"))
    forget()

    def read(file: Path) -> bytes:
        raise AssertionError("a file is read")

    monkeypatch.setattr(reading, "_content", read)
    again = load_splits(data_of(tmp_path / "pets"))
    assert torch.equal(first.train.x_NI, again.train.x_NI)
    assert first.description == again.description
    forget()
    drawn(5000).save(tmp_path / "pets/cats/00.png")
    with pytest.raises(AssertionError, match="a file is read"):
        load_splits(data_of(tmp_path / "pets"))


def test_splits_are_maps_of_files_that_training_only_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "cache"))
    config = images(folder(tmp_path / "pets", n=20), trainer__batch_size=7)
    splits = load_splits(config.data)
    fit([config], splits)
    mapped, own, name = dict[str, range](), dict[str, int](), ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if len(words) >= 6 and words[-1].startswith(str(tmp_path)):
            begin, _, end = words[0].partition("-")
            name = Path(words[-1]).name
            mapped[name] = range(int(begin, 16), int(end, 16))
        elif words[0] == "Anonymous:" and name:
            own[name], name = int(words[1]), ""
    for name, split in (("train_x.npy", splits.train), ("validation_x.npy", splits.validation)):
        assert split.x_NI.data_ptr() in mapped[name]
        assert own[name] == 0  # kB of pages that this process has written


def test_a_broken_file_is_named_or_left_out(tmp_path: Path) -> None:
    place = folder(tmp_path / "pets", n=20)
    content = (place / "cats/03.png").read_bytes()
    (place / "cats/03.png").write_bytes(content[: len(content) // 2])
    (place / "dogs/04.png").write_text("not an image")
    with pytest.raises(ConfigError, match=r"but got cats/03\.png: it is cut off .*on_error=skip leaves it out|dogs/04"):
        load_splits(data_of(place))
    config = data_of(place, on_error="skip")
    assert sum(load_splits(config).description.examples) == 38
    found = read_source(config).images
    assert found is not None
    assert [name for name, _ in found.bad] == ["cats/03.png", "dogs/04.png"]
    assert len(found.names) == 38
    assert "cats/03.png" not in found.names
    (note,) = notes_of(config)  # whoever trains is told
    assert note.startswith("2 of 40 files cannot be read and are left out (data.on_error=skip): cats/03.png: it is cut")


def test_images_of_several_sizes_need_one_that_is_asked_for(tmp_path: Path) -> None:
    place = folder(tmp_path / "pets", n=20)
    drawn(1, (5, 7)).save(place / "cats/big.png")
    with pytest.raises(ConfigError, match=r"2 sizes from 5x7 to 8x8, most often 8x8 \(40 of 41\); data.image_size=8"):
        load_splits(data_of(place))
    assert load_splits(data_of(place, image_size=6)).image_shape == (3, 6, 6)
    assert load_splits(data_of(place, image_size=[4, 6], channels=1)).image_shape == (1, 4, 6)


@pytest.mark.parametrize(("splits", "odd"), [(("train", "test", "new"), "new"), (("Train", "eval"), "eval")])
def test_folders_of_splits_beside_another_are_not_taken_for_classes(
    splits: Sequence[str], odd: str, tmp_path: Path
) -> None:
    place = folder(tmp_path, n=4, splits=splits[:2])
    (place / odd).mkdir(exist_ok=True)
    with pytest.raises(ConfigError, match=rf"have folders of the same names, and {odd} is no split: rename it"):
        read_source(data_of(place))


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder(tmp_path, n=4, classes=("train", "car"))
    for kind in ("steam", "diesel"):
        (tmp_path / "train" / kind).mkdir()
        drawn(99 + len(kind)).save(tmp_path / "train" / kind / "1.png")
    assert read_source(data_of(tmp_path)).class_names == ("car", "train")
