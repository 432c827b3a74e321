"""Examples that a function of the user's own gives: `data._target_=mine.load`."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ridgeline.checking import ConfigError
from ridgeline.config import Config, DataConfig, as_tree, parse
from ridgeline.config.batchable import structure
from ridgeline.data import check_again, describe, load_splits
from ridgeline.data.sources import read_source
from ridgeline.lightning.alone import train_alone
from ridgeline.processes import receive
from ridgeline.stack.messages import Begin, Broken
from ridgeline.stack.worker import _answer
from ridgeline.trial.requirements import check_trainer

SOURCE = """
import decimal

import numpy as np
import pandas as pd
import scipy.sparse
import torch

def load(n: int = 60, seed: int = 0, found: str = "table"):
    x_NI = np.random.default_rng(seed).normal(3, 2, (n, 4))
    labels_N = np.where(x_NI[:, 0] > 3, "yes", "no")
    given = {
        "table": (x_NI, labels_N),
        "images": (x_NI.reshape(n, 2, 2), labels_N),
        "colours": (np.stack([x_NI.reshape(n, 2, 2)] * 3, axis=3), labels_N),
        "colours first": (np.stack([x_NI.reshape(n, 2, 2)] * 3, axis=1), labels_N),
        "nothing": None,
        "texts": (labels_N[:, None], labels_N),
        "a column": (x_NI[:, 0], labels_N),
        "fewer targets": (x_NI, labels_N[1:]),
        "a hole": (np.where(x_NI == x_NI[0, 0], np.nan, x_NI), labels_N),
        "one class": (x_NI, np.zeros(n, int)),
        "numbers": (x_NI, x_NI[:, 0] * 7),
        "no example": (x_NI[:0], labels_N[:0]),
        "no feature": (x_NI[:, :0], labels_N),
        "complex": (x_NI + 0j, labels_N),
        "a mask": (np.ma.masked_equal(x_NI, x_NI[0, 0]), labels_N),
        "sparse": (scipy.sparse.csr_matrix(x_NI), labels_N),
        "huge": (np.where(x_NI == x_NI[0, 0], 1e200, x_NI), labels_N),
        "a column of text": (pd.DataFrame({"size": x_NI[:, 0], "city": ["A"] * n}), labels_N),
        "a missing label": (x_NI, np.array([None, *labels_N[1:]], object)),
        "several kinds": (x_NI, np.array([1, *labels_N[1:]], object)),
        "a tensor that requires grad": (torch.tensor(x_NI, requires_grad=True), labels_N),
        "floats": (x_NI, (x_NI[:, 0] > 3) * 1.0),
        "whole": (x_NI, np.arange(n)),
        "decimals": (x_NI, [decimal.Decimal(i) / 8 for i in range(n)]),
        "texts of numbers": (x_NI, x_NI[:, 0].astype(str)),
        "beyond float32": (x_NI, x_NI[:, 0] * 1e300),
        "drawn anew": (np.random.default_rng().normal(size=(n, 4)), labels_N),
    }
    if found == "a file beside it":
        read = pd.read_csv("beside.csv", header=None)
        return read[[0]], read[1]
    if found == "no file":
        return pd.read_csv("not_there.csv"), labels_N
    return given[found]
"""


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "own_data_of_a_test.py").write_text(SOURCE)
    return folder


@pytest.fixture
def tree(folder: Path) -> dict[str, Any]:
    data = {"_target_": "own_data_of_a_test.load", "name": "own"}
    network, optimizer = {"name": "mlp", "hidden": [4]}, {"name": "adam", "lr": 0.01}
    return {"data": data, "network": network, "optimizer": optimizer, "import_path": str(folder)}


def parsed(tree: Mapping[str, Any], **data: Any) -> Config:
    return parse({**tree, "data": {**tree["data"], **data}})


def test_examples_are_split_by_class_and_scaled_by_the_train_split(tree: dict[str, Any]) -> None:
    config = parsed(tree, n=100, train=0.5)
    splits = load_splits(config.data)
    assert splits.train.x_NI.shape == (50, 4)
    assert splits.description.name == "own_data_of_a_test.load"
    assert splits.train.x_NI.mean(0).abs().max() < 1e-6
    source = read_source(config.data)
    np.testing.assert_array_equal(source.y_N, (source.x_NI[:, 0] > 3).astype(int))  # no, yes: in the labels' order
    assert read_source(parsed(tree, found="images").data).image_shape == (1, 2, 2)
    last, first = (read_source(parsed(tree, found=found).data) for found in ("colours", "colours first"))
    assert last.image_shape == first.image_shape == (3, 2, 2)
    np.testing.assert_array_equal(last.x_NI, first.x_NI)


def test_numbers_with_a_point_are_regression_which_task_has_to_say(tree: dict[str, Any]) -> None:
    config = parsed(tree | {"task": "regression", "metric": "val/rmse"}, found="numbers")
    assert config.loss.name == "mse"
    splits = load_splits(config.data)
    assert splits.task == "regression"
    assert splits.train.y_N.std() == pytest.approx(1, abs=0.05)
    check_trainer(config, splits.description)
    assumed = parsed(tree, found="numbers")
    with pytest.raises(ConfigError, match=r"`task=regression with the targets of .*load` must hold, but got task=auto"):
        check_trainer(assumed, describe(assumed.data))


@pytest.mark.parametrize("found", ["numbers", "floats", "whole", "decimals", "texts of numbers"])
def test_task_decides_whether_numbers_are_met_or_name_classes(found: str, tree: dict[str, Any]) -> None:
    """And the default split fits it."""
    as_numbers = describe(parsed(tree | {"task": "regression"}, found=found).data)
    assert (as_numbers.task, as_numbers.class_names) == ("regression", ())
    with pytest.raises(ConfigError, match=r"^`task[ =].* with the targets of own_.*` must hold, .* got task=auto\.$"):
        describe(parsed(tree, found=found).data)


def test_whole_numbers_that_were_read_as_floats_are_classes_if_task_says_so(tree: dict[str, Any]) -> None:
    config = parsed(tree | {"task": "classification"}, found="floats")
    assert describe(config.data).class_names == ("0", "1")
    assert parse(as_tree(config)) == config
    with pytest.raises(ConfigError, match="gives targets that are labels or whole numbers with task=classification"):
        describe(parsed(tree | {"task": "classification"}, found="numbers").data)
    with pytest.raises(ConfigError, match=r"the class 0 has one example, as have \d+ other classes\.$"):
        describe(parsed(tree | {"task": "classification"}, found="whole").data)


@pytest.mark.parametrize(
    ("found", "words"),
    [("beyond float32", "finite in float32` must hold"), ("table", "numbers with task=regression` .*='(yes|no)'")],
)
def test_what_is_no_number_in_float32_is_no_target_of_regression(found: str, words: str, tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=words):
        describe(parsed(tree | {"task": "regression"}, found=found).data)


def test_classes_keep_the_names_that_the_user_gave_them(tree: dict[str, Any]) -> None:
    assert describe(parsed(tree).data).class_names == ("no", "yes")
    assert describe(parsed(tree, found="a tensor that requires grad").data).class_names == ("no", "yes")
    assert describe(DataConfig("breast_cancer")).class_names == ("malignant", "benign")
    assert describe(DataConfig("diabetes")).class_names == ()


def test_a_function_that_draws_anew_at_each_call_is_refused(tree: dict[str, Any]) -> None:
    """Else each process would train on others."""
    check_again(parsed(tree).data)
    with pytest.raises(ConfigError, match=r"own_data_of_a_test.load gives the same examples at each call .* must hold"):
        check_again(parsed(tree, found="drawn anew").data)


def test_a_worker_that_reads_other_examples_trains_nothing(tree: dict[str, Any]) -> None:
    """A function that depends on the process it is called in: on the order of a set, say."""
    ours, theirs = Pipe()
    _answer(theirs, Begin({0: parsed(tree)}, data="another hash"), train_alone)
    said = receive(ours)
    assert isinstance(said, Broken)
    assert "gives the same examples at each call" in said.reason


def test_a_file_that_it_opens_lies_beside_it_wherever_the_command_is_typed(
    tree: dict[str, Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "beside.csv").write_text("0.5,a\n1.5,b\n" * 20)
    monkeypatch.chdir(tmp_path)
    assert describe(parsed(tree, found="a file beside it").data).class_names == ("a", "b")
    assert Path.cwd() == tmp_path


def test_images_of_ones_own_can_be_augmented_and_rows_of_numbers_cannot(tree: dict[str, Any]) -> None:
    def augmented(found: str) -> Config:
        return parsed(tree | {"augmentation": {"shift": 0.1}}, found=found, standardize="all")

    images = augmented("images")
    check_trainer(images, describe(images.data))
    rows = augmented("table")
    with pytest.raises(ConfigError, match=r"`augmentation only of images, and own_data_of_a_test.load are none` must"):
        check_trainer(rows, describe(rows.data))


def test_its_arguments_stand_beside_our_keys_and_what_is_neither_is_refused(tree: dict[str, Any]) -> None:
    config = parsed(tree, n=80, seed=5)
    assert (
        as_tree(config)["data"] | {"n": 80, "seed": 5, "_target_": "own_data_of_a_test.load"} == as_tree(config)["data"]
    )
    assert parse(as_tree(config)) == config
    with pytest.raises(
        ConfigError, match=r"own_data_of_a_test.load has no argument `data.trian`. There is: found, n, seed."
    ):
        parsed(tree, trian=0.5)
    with pytest.raises(ConfigError, match=r"`data.n is an integer` must hold, but got data.n=many."):
        parsed(tree, n="many")
    with pytest.raises(ConfigError, match=r"`data._target_ is given with data=own` must hold"):
        parsed(tree, _target_=None)


def test_our_seed_is_given_to_it_and_other_arguments_are_other_data(tree: dict[str, Any]) -> None:
    hashes = [describe(parsed(tree, **data).data).hash for data in ({}, {"n": 60}, {"n": 61}, {"seed": 1})]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert structure(parsed(tree, n=61)) != structure(parsed(tree, n=60))


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        ("nothing", r"gives \(features, targets\)` must hold, but got own_data_of_a_test.load\(\)=NoneType"),
        ("texts", "gives features that are numbers` must hold"),
        ("a column", r"gives features \(N, I\), or images \(N, H, W\) or \(N, C, H, W\)` must hold, .*=shape \(60,\)"),
        ("fewer targets", r"gives a target for each of 60 examples` must hold, .*=shape \(59,\)"),
        ("a hole", r"gives features that are finite in float32` must hold, .*=1 that are not"),
        ("no example", r"gives an example and a feature or more` must hold, .*=shape \(0, 4\)"),
        ("no feature", r"gives an example and a feature or more` must hold, .*=shape \(60, 0\)"),
        ("complex", r"gives features that are real numbers` must hold, .*=dtype complex128"),
        ("a mask", r"gives features without a mask` must hold, .*=1 that are masked"),
        ("sparse", r"gives features as an array` must hold, .*=a sparse matrix"),
        ("huge", r"gives features that are finite in float32` must hold, .*=1 that are not"),
        ("a column of text", r"gives features that are numbers` must hold, .* has 'A' in the column city\.$"),
        ("a missing label", r"gives a target for each example` must hold, .*=1 that are missing"),
        ("several kinds", r"gives targets of one kind` must hold, .*=int and str"),
        ("one class", r"gives targets of two classes or more` must hold, .*=\[0\]"),
        ("a fault", r"`data can be built` must hold, .*: KeyError: 'a fault' \(own_data_of_a_test.py, line 46\)"),
        ("no file", r"FileNotFoundError: .* 'not_there.csv' \(own_data_of_a_test.py, line 45\)\.$"),
    ],
)
def test_what_is_no_data_is_refused_in_one_line(found: str, rule: str, tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rule) as refused:
        read_source(parsed(tree, found=found).data)
    assert "\n" not in str(refused.value)
