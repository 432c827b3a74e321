"""`data=table`: from a file with a target column to splits, a study and its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ridgeline.checking import ConfigError
from ridgeline.config import Config, as_tree, parse
from ridgeline.data import load_splits

N = 120


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A table with a number, a category, a target of names and one of numbers."""
    draw = np.random.default_rng(0)
    size_N, town_N = draw.normal(3, 2, N), draw.choice(["Aby", "Bex"], N)
    bought_N = np.where(size_N + (town_N == "Bex") > 3, "yes", "no")
    frame = pd.DataFrame({"size": size_N, "town": town_N, "bought": bought_N, "price": 900 + 7.5 * size_N})
    path = tmp_path / "shop.csv"
    frame.to_csv(path, index=False)
    return path


def parsed(path: Path, target: str, **others: Any) -> Config:
    data = {"name": "table", "path": str(path), "target": target, **others.pop("data", {})}
    network, optimizer = {"name": "mlp", "hidden": [4]}, {"name": "adam", "lr": 0.01}
    return parse({"data": data, "network": network, "optimizer": optimizer, **others})


def test_the_target_says_what_is_predicted_and_the_configuration_keeps_it(file: Path) -> None:
    classes = parsed(file, "bought", data={"drop": ["price"]})
    numbers = parsed(file, "price", data={"drop": ["bought"], "split": "random"})
    assert (classes.task, classes.loss.name) == ("classification", "cross_entropy")
    assert (numbers.task, numbers.loss.name) == ("regression", "mse")
    file.unlink()  # what is stored needs no file to be read back
    assert parse(as_tree(numbers)) == numbers


def test_classes_are_called_what_the_file_calls_them(file: Path) -> None:
    splits = load_splits(parsed(file, "bought", data={"drop": ["price"]}).data)
    assert splits.description.class_names == ("no", "yes")
    turned = load_splits(parsed(file, "bought", data={"drop": ["price"], "positive": "no"}).data)
    assert turned.description.class_names == ("yes", "no")
    assert turned.train.y_N.sum() == (1 - splits.train.y_N).sum()


def test_a_column_that_is_not_there_is_refused_with_the_nearest(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.target=boughd\. Did you mean bought\?$"):
        parsed(file, "boughd")
    with pytest.raises(ConfigError, match=r"data\.group_on=twon\. Did you mean town\?$"):
        load_splits(parsed(file, "bought", data={"group_on": "twon"}).data)


def test_rows_without_a_target_and_rare_classes_are_in_no_split(file: Path) -> None:
    frame = pd.read_csv(file)
    frame.loc[:9, "bought"] = None
    frame.loc[10:12, "bought"] = "perhaps"
    frame.to_csv(file, index=False)
    splits = load_splits(parsed(file, "bought", data={"drop": ["price"]}).data)
    assert sum(splits.description.examples) == N - 13
    assert splits.description.class_names == ("no", "yes")
