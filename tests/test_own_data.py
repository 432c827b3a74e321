"""Examples that a function of the user's own gives: `data._target_=mine.load`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ridgeline.checking import ConfigError
from ridgeline.config import Config, as_tree, parse
from ridgeline.config.batchable import structure
from ridgeline.data import describe, load_splits
from ridgeline.data.sources import read_source
from ridgeline.trial.requirements import check_trainer

SOURCE = """
import numpy as np

def load(n: int = 60, seed: int = 0, found: str = "table"):
    x_NI = np.random.default_rng(seed).normal(3, 2, (n, 4))
    labels_N = np.where(x_NI[:, 0] > 3, "yes", "no")
    given = {
        "table": (x_NI, labels_N),
        "images": (x_NI.reshape(n, 2, 2), labels_N),
        "nothing": None,
        "texts": (labels_N[:, None], labels_N),
        "a column": (x_NI[:, 0], labels_N),
        "fewer targets": (x_NI, labels_N[1:]),
        "a hole": (np.where(x_NI == x_NI[0, 0], np.nan, x_NI), labels_N),
        "one class": (x_NI, np.zeros(n, int)),
        "numbers": (x_NI, x_NI[:, 0] * 7),
    }
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
    assert read_source(parsed(tree, found="images").data).image_shape == (2, 2)


def test_numbers_with_a_point_are_regression_which_task_has_to_say(tree: dict[str, Any]) -> None:
    config = parsed(tree | {"task": "regression", "metric": "val/rmse"}, found="numbers", split="random")
    assert config.loss.name == "mse"
    splits = load_splits(config.data)
    assert splits.task == "regression"
    assert splits.train.y_N.std() == pytest.approx(1, abs=0.05)
    check_trainer(config, splits.description)
    assumed = parsed(tree, found="numbers", split="random")
    with pytest.raises(ConfigError, match=r"`task=regression with the targets of .*load` must hold, but got task=auto"):
        check_trainer(assumed, describe(assumed.data))


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
        ("a column", r"gives features \(N, I\), or images \(N, H, W\)` must hold, .*=shape \(60,\)"),
        ("fewer targets", r"gives a target for each of 60 examples` must hold, .*=shape \(59,\)"),
        ("a hole", r"gives finite features` must hold, .*=1 that are not"),
        ("one class", r"gives targets of two classes or more` must hold, .*=\[0\]"),
        ("a fault", r"`data can be built` must hold, .*: KeyError: 'a fault' \(own_data_of_a_test.py, line 18\)"),
    ],
)
def test_what_is_no_data_is_refused_in_one_line(found: str, rule: str, tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rule) as refused:
        read_source(parsed(tree, found=found).data)
    assert "\n" not in str(refused.value)
