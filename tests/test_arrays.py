"""data=arrays: files of arrays are taken as they are, and what is none is refused in one line."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ridgeline.api.champion import Champion
from ridgeline.checking import ConfigError
from ridgeline.config import Config, as_tree, parse
from ridgeline.data import describe, load_splits
from ridgeline.data.class_overview import class_lines
from ridgeline.data.given import TEST, TRAIN, VALIDATION
from ridgeline.data.kept_rows import fold_rows_once
from ridgeline.data.sources import read_source
from ridgeline.evaluation.scoring import predict_file
from ridgeline.stack.fitted import Fitted
from ridgeline.stack.fitting import fit
from ridgeline.stack.networks import shape_of
from ridgeline.trial.requirements import check_trainer

OPTIMIZER, TRAINER = {"name": "adam", "lr": 0.01}, {"max_epochs": 1, "enable_progress_bar": False}
RNG = np.random.default_rng(0)
ROWS_NI = RNG.normal(2, 3, (60, 12))
BYTES_NHWC = RNG.integers(0, 256, (60, 5, 6, 3), dtype=np.uint8)
LABELS_N = np.repeat([3, 7, 9], 20)
WITH_A_HOLE_NI = ROWS_NI.copy()
WITH_A_HOLE_NI[7, 2] = np.nan


def parsed(path: Path | str, **data: Any) -> Config:
    network = {"name": "mlp", "hidden": [4]}
    tree = {
        "data": {"name": "arrays", "path": str(path), **data},
        "network": network,
        "optimizer": {"name": "adam", "lr": 0.01},
    }
    return parse(tree)


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def idx(array: np.ndarray) -> bytes:
    head = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return head + array.astype(np.uint8).tobytes()


def test_rows_are_scaled_by_feature_and_their_labels_name_the_classes(tmp_path: Path) -> None:
    config = parsed(saved(tmp_path, x=ROWS_NI, y=np.array(["cat", "dog", "owl"])[LABELS_N // 4]), train=0.5)
    splits = load_splits(config.data)
    assert config.data.standardize == "feature"
    assert splits.image_shape is None
    assert splits.description.name == "own"
    assert splits.description.class_names == ("cat", "dog", "owl")
    assert splits.train.x_NI.mean(0).abs().max() < 1e-6
    assert parse(as_tree(config)) == config


def test_prepare_counts_the_classes_of_arrays(tmp_path: Path) -> None:
    config = parsed(saved(tmp_path, x=ROWS_NI, y=np.array(["cat", "dog", "owl"])[LABELS_N // 4]), train=0.5)
    _, head, *lines = class_lines(config.data)
    assert head.split() == ["class", "train", "validation"]
    counts = [line.split() for line in lines]
    assert [name for name, *_ in counts] == ["cat", "dog", "owl"]
    assert [sum(int(row[i]) for row in counts) for i in (1, 2)] == [*describe(config.data).examples[:2]]


def test_images_of_bytes_stay_bytes_wherever_their_channels_are(tmp_path: Path) -> None:
    last = read_source(parsed(saved(tmp_path, x=BYTES_NHWC, y=LABELS_N)).data)
    first = read_source(parsed(saved(tmp_path, X=BYTES_NHWC.transpose(0, 3, 1, 2), y=LABELS_N)).data)
    assert last.x_NI.dtype == np.uint8
    assert last.image_shape == first.image_shape == (3, 5, 6)
    np.testing.assert_array_equal(last.x_NI, first.x_NI)
    np.testing.assert_array_equal(last.x_NI[5], BYTES_NHWC[5].transpose(2, 0, 1).ravel())
    assert last.class_names == ("3", "7", "9")
    assert last.content == first.content


def test_the_same_examples_in_other_splits_are_other_data(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(1).permutation(60)
    x_N, y_N = BYTES_NHWC[shuffled], LABELS_N[shuffled]

    def cut(n_test: int) -> dict[str, np.ndarray]:
        return {"x": x_N[:-n_test], "y": y_N[:-n_test], "x_test": x_N[-n_test:], "y_test": y_N[-n_test:]}

    configs = []
    for name, arrays in {"drawn": {"x": x_N, "y": y_N}, "twenty": cut(20), "thirty": cut(30)}.items():
        (tmp_path / name).mkdir()
        configs.append(parsed(saved(tmp_path / name, **arrays)).data)
    known = [describe(config) for config in configs]
    assert [own.examples for own in known] == [(36, 12, 12), (30, 10, 20), (22, 8, 30)]
    assert len({own.hash for own in known}) == 3
    assert len({read_source(config).content for config in configs}) == 3


def test_kept_rows_are_those_of_the_splits_that_a_source_names(tmp_path: Path) -> None:
    config = parsed(saved(tmp_path, x=BYTES_NHWC, y=LABELS_N)).data
    source = read_source(config)
    given_N = np.tile(np.array([TRAIN, TRAIN, VALIDATION, TEST], np.int8), 15)
    drawn, named = (fold_rows_once(own, config)[0] for own in (source, replace(source, given_N=given_N)))
    np.testing.assert_array_equal(named.test, np.flatnonzero(given_N == TEST))
    assert not np.array_equal(drawn.test, named.test)


def test_images_are_standardized_by_channel(tmp_path: Path) -> None:
    splits = load_splits(parsed(saved(tmp_path, x=BYTES_NHWC / 255, y=LABELS_N)).data)
    x_NCP = splits.train.x_NI.view(-1, 3, 30)
    torch.testing.assert_close(x_NCP.mean((0, 2)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(x_NCP.std((0, 2), correction=0), torch.ones(3), rtol=0, atol=1e-5)


def test_rows_are_images_of_the_shape_that_is_given(tmp_path: Path) -> None:
    path = saved(tmp_path, x=ROWS_NI, y=LABELS_N)
    assert read_source(parsed(path, image_shape=[3, 4]).data).image_shape == (1, 3, 4)
    assert read_source(parsed(path, image_shape=[3, 2, 2]).data).image_shape == (3, 2, 2)


def test_splits_that_the_file_has_are_kept(tmp_path: Path) -> None:
    """As in Keras' mnist.npz, and in MedMNIST's files, which have a column of labels."""
    names = {"x_train": ROWS_NI, "y_train": LABELS_N, "x_test": ROWS_NI + 100, "y_test": LABELS_N}
    source = read_source(parsed(saved(tmp_path, **names)).data)
    assert (source.given_N == TEST).sum() == 60
    assert (source.x_NI[60:].mean(0) > 90).all()
    assert describe(parsed(saved(tmp_path, **names), train=0.9, validation=0.1).data).examples == (54, 6, 60)
    parts = ("train", ROWS_NI), ("val", ROWS_NI[:30]), ("test", ROWS_NI)
    names = {f"{name}_images": x.reshape(-1, 4, 3) for name, x in parts}
    names |= {f"{name}_labels": LABELS_N[: 2 * len(x) : 2 if len(x) < 60 else 1, None] for name, x in parts}
    assert describe(parsed(saved(tmp_path, **names)).data).examples == (60, 30, 60)


def test_the_same_arrays_are_the_same_data_in_whatever_files_they_lie(tmp_path: Path) -> None:
    images_NHW = BYTES_NHWC[..., 0]
    np.save(tmp_path / "x.npy", images_NHW)
    np.save(tmp_path / "y.npy", LABELS_N)
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(images_NHW)))
    (tmp_path / "y.idx").write_bytes(idx(LABELS_N))
    pair = torch.from_numpy(images_NHW), torch.from_numpy(LABELS_N)
    torch.save(pair, tmp_path / "pair.pt")
    torch.save({"x": pair[0], "y": pair[1]}, tmp_path / "named.pt")
    for name, tensor in zip(("x.pt", "y.pt"), pair, strict=True):
        torch.save(tensor, tmp_path / name)
    folder = tmp_path / "four"
    folder.mkdir()
    for split, rows in (("train", slice(40)), ("t10k", slice(40, None))):
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images_NHW[rows])))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx(LABELS_N[rows]))
    pairs = [("x.npy", "y.npy"), ("x.gz", "y.idx"), ("x.pt", "y.pt"), ("x.npy", "y.pt")]
    configs = [parsed(tmp_path / x, targets=str(tmp_path / y)) for x, y in pairs]
    configs += [parsed(saved(tmp_path, x=images_NHW, y=LABELS_N)), parsed(tmp_path / "pair.pt")]
    configs += [parsed(tmp_path / "named.pt"), parsed(folder)]
    sources = [read_source(config.data) for config in configs]
    assert len({source.examples for source in sources}) == 1
    assert len({source.content for source in sources[:7]}) == 1
    assert sources[7].content != sources[0].content  # for its splits are given
    assert all(source.given_N is None for source in sources[:7])
    assert (sources[7].given_N == TEST).tolist() == [False] * 40 + [True] * 20
    assert isinstance(read_source(configs[0].data).x_NI.base, np.memmap)


def test_files_of_a_test_split_come_last(tmp_path: Path) -> None:
    for name, array in (("x", ROWS_NI), ("y", LABELS_N), ("x2", ROWS_NI + 100), ("y2", LABELS_N)):
        np.save(tmp_path / f"{name}.npy", array)
    places = {
        key: str(tmp_path / f"{name}.npy")
        for key, name in (("targets", "y"), ("test_path", "x2"), ("test_targets", "y2"))
    }
    source = read_source(parsed(tmp_path / "x.npy", **places).data)
    assert (source.given_N == TEST).tolist() == [False] * 60 + [True] * 60
    assert source.x_NI[60:].mean() > 90


def test_targets_with_a_fraction_are_numbers_and_need_no_task(tmp_path: Path) -> None:
    config = parsed(saved(tmp_path, x=ROWS_NI, y=ROWS_NI[:, 0]))
    assert (config.predicted, config.loss.name, describe(config.data).task) == ("regression", "mse", "regression")
    check_trainer(config, describe(config.data))


GIVEN = {"x": ROWS_NI, "y": LABELS_N}
BAD: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "an empty file": (b"", r"`the file is not empty` must hold, .*: it has no byte\.$"),
    "text": (b"1,2\n3,4\n", r"`the file is a \.npz, \.npy, \.pt or IDX file` must hold"),
    "a pickle": (b"\x80\x04K\x01.", r"it is a pickle, which may run code when it is opened"),
    "no y": ({"y": None, "yy": LABELS_N}, r"`data\.path holds y` .* without y\. Did you mean yy\?"),
    "no x": ({"x": None, "a": ROWS_NI}, r"without x\. There is: a, y\.$"),
    "half a test split": ({"x_test": ROWS_NI}, r"holds x_test and y_test or neither"),
    "objects": ({"y": LABELS_N.astype(object)}, r"`no array holds Python objects` must hold.*: y does"),
    "fewer targets": ({"y": LABELS_N[1:]}, r"`x and y have as many rows` .* they have 60 and 59\.$"),
    "one-hot": ({"y": np.eye(10)[LABELS_N]}, r"shape is \(60, 10\): one-hot targets become classes by y\.argmax\(1\)"),
    "one axis": ({"x": ROWS_NI[:, 0]}, r"`x is \(N, I\), .*: its shape is \(60,\)\.$"),
    "text for numbers": ({"x": ROWS_NI.astype(str)}, r"`x holds numbers` must hold, .* <U"),
    "complex": ({"x": ROWS_NI * 1j}, r"`x holds numbers` must hold, .* complex128\.$"),
    "NaN": ({"x": WITH_A_HOLE_NI}, r"`the numbers of x are finite in float32` .*: row 7 has nan\.$"),
    "huge": ({"x": ROWS_NI * 1e300}, r"row 0 has -?inf\.$"),
    "another shape": ({"x_test": ROWS_NI[:, 1:], "y_test": LABELS_N}, r"shapes are \(11,\) and \(12,\)\.$"),
    "another scale": (
        {"x": BYTES_NHWC, "x_test": BYTES_NHWC / 255, "y_test": LABELS_N},
        r"`x_test and x are on one scale` .* float64 and uint8\.$",
    ),
    "another type": (
        {"x_test": ROWS_NI, "y_test": LABELS_N.astype(str)},
        r"`the targets of all splits are of one type` must hold",
    ),
    "one class": ({"y": LABELS_N * 0}, r"`data\.path has targets of two classes or more` must hold.*=\[0\]\.$"),
    "floats": ({"y": LABELS_N * 1.0}, r"`task is classification or regression with the targets of own` must hold"),
}


def refusal(path: Path, **data: Any) -> str:
    """The one line that refuses these data."""
    with pytest.raises(ConfigError) as refused:
        describe(parsed(path, **data).data)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("kind", BAD)
def test_what_are_no_arrays_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    content, words = BAD[kind]
    path = tmp_path / "own.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        saved(tmp_path, **{name: array for name, array in {**GIVEN, **content}.items() if array is not None})
    found = refusal(path)
    assert re.search(words, found), found


def test_files_that_are_not_there_or_damaged_are_refused_in_one_line(tmp_path: Path) -> None:
    path = saved(tmp_path, **GIVEN)
    assert refusal(tmp_path / "onw.npz").endswith("/onw.npz. Did you mean own.npz?")
    assert "/not; the nearest is " in refusal(tmp_path / "not" / "own.npz")
    found = refusal(tmp_path)
    assert found.startswith("`the folder has one file *train-images*idx3-ubyte*` must hold")
    assert found.endswith("none; there is: own.npz.")
    path.write_bytes(path.read_bytes()[:900])
    assert "`the zip file is whole` must hold" in refusal(path)
    np.save(tmp_path / "objects.npy", ROWS_NI.astype(object), allow_pickle=True)
    assert "`no array holds Python objects` must hold" in refusal(tmp_path / "objects.npy")
    np.save(tmp_path / "x.npy", ROWS_NI)
    assert refusal(tmp_path).endswith("Of other arrays each is named: data.path=x.npy data.targets=y.npy, say.")
    assert "`data.targets=FILE is given where data.path is one array` must hold" in refusal(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    assert "`a .npy file is whole` must hold" in refusal(tmp_path / "x.npy")
    (tmp_path / "y.idx").write_bytes(idx(LABELS_N)[:-1])
    np.save(tmp_path / "x.npy", ROWS_NI)
    found = refusal(tmp_path / "x.npy", targets=str(tmp_path / "y.idx"))
    assert "`an IDX file has 68 bytes (it has 67)` must hold" in found
    torch.save({"net": torch.nn.Linear(1, 1)}, tmp_path / "objects.pt")
    assert "`a .pt file holds tensors alone` must hold" in refusal(tmp_path / "objects.pt")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            {"image_shape": [5, 5]},
            r"`data\.image_shape=\[5, 5\] has as many values as a row` .*: it has 25, a row 12\.$",
        ),
        ({"image_shape": [12]}, r"`data\.image_shape is \[H, W\] or \[C, H, W\], each 1 or more` must hold"),
        ({"targets": "y.npy"}, r"`data\.targets=null where data\.path has the targets too` must hold"),
        ({"test_targets": "y.npy"}, r"`data\.test_path is given with data\.test_targets` must hold"),
        ({"standardize": "squash"}, r"`data\.standardize in \{auto, none, feature, all, channel, zca\}` must hold"),
        ({"standardize": "channel"}, r"`data\.standardize=channel only of images` must hold"),
    ],
)
def test_keys_that_do_not_fit_the_file_are_refused(data: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        describe(parsed(saved(tmp_path, x=ROWS_NI, y=LABELS_N), **data).data)


def test_a_model_of_arrays_predicts_the_rows_of_a_file(tmp_path: Path) -> None:
    """Images, wherever their channels are; or rows, where they fit."""
    config = parsed(saved(tmp_path, x=BYTES_NHWC, y=LABELS_N))
    splits = load_splits(config.data)
    (result,) = fit([config], splits)
    names = splits.description.class_names
    fitted = Fitted(config, result.weights, splits.scaler, shape_of(splits), names)
    first_NCHW = np.ascontiguousarray(BYTES_NHWC.transpose(0, 3, 1, 2))
    for i, x in enumerate((BYTES_NHWC, first_NCHW, first_NCHW.reshape(60, -1))):
        np.save(tmp_path / f"{i}.npy", x)
        assert predict_file(fitted, str(tmp_path / f"{i}.npy"), tmp_path / f"{i}.csv") == 60
    assert predict_file(fitted, str(tmp_path / "own.npz"), tmp_path / "3.csv") == 60
    written = [(tmp_path / f"{i}.csv").read_text() for i in range(4)]
    assert len(set(written)) == 1
    assert written[0].splitlines()[0] == "row,prediction,probability_3,probability_7,probability_9"
    table = pd.read_csv(tmp_path / "0.csv")
    assert table["row"].tolist() == list(range(60))
    np.testing.assert_allclose(table.iloc[:, 2:], fitted.predict(first_NCHW.reshape(60, -1)), atol=1e-6)
    np.save(tmp_path / "other.npy", ROWS_NI)
    with pytest.raises(
        ConfigError, match=r"`examples of shape \(3, 5, 6\) for this model` .* float64 of shape \(60, 12\)"
    ):
        predict_file(fitted, str(tmp_path / "other.npy"), tmp_path / "other.csv")
    assert not (tmp_path / "other.csv").exists()


def test_a_champion_in_python_takes_images_as_the_search_took_them(tmp_path: Path) -> None:
    """In either order of their axes, as a file, and on the scale on which they trained."""
    known = {}
    for scale in (1, 255):
        (tmp_path / str(scale)).mkdir()
        config = parsed(saved(tmp_path / str(scale), x=BYTES_NHWC if scale == 1 else BYTES_NHWC / scale, y=LABELS_N))
        splits = load_splits(config.data)
        (result,) = fit([config], splits)
        fitted = Fitted(config, result.weights, splits.scaler, shape_of(splits), ("3", "7", "9"))
        known[scale] = Champion("ridgeline-own/1", fitted), fitted
    champion, fitted = known[1]
    expected = fitted.predict(BYTES_NHWC.transpose(0, 3, 1, 2).reshape(60, -1))
    for x in (BYTES_NHWC, BYTES_NHWC.transpose(0, 3, 1, 2), BYTES_NHWC.astype(float), torch.from_numpy(BYTES_NHWC)):
        np.testing.assert_allclose(champion.predict_proba(x), expected, atol=1e-6)
    np.testing.assert_allclose(known[255][0].predict_proba(BYTES_NHWC / 255).sum(1), 1, atol=1e-6)
    np.save(tmp_path / "new.npy", BYTES_NHWC)
    np.testing.assert_allclose(champion.predict_proba(tmp_path / "new.npy"), expected, atol=1e-6)
    for x in (BYTES_NHWC[0], BYTES_NHWC[..., 0], BYTES_NHWC[:, :4]):
        with pytest.raises(
            ConfigError, match=r"`examples of shape \(3, 5, 6\) for this model` must hold, but got X=uint8"
        ):
            champion.predict(x)
    with pytest.raises(
        ConfigError, match=r"on the scale of those that trained.*: x \* 255, say, but got X=float64 .* to 1"
    ):
        champion.predict(BYTES_NHWC / 255)
    with pytest.raises(
        ConfigError, match=r"on the scale of those that trained.*: x / 255, say, but got data\.path=.* to 255"
    ):
        known[255][0].predict(tmp_path / "new.npy")
