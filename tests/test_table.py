"""`data=table`: from a file with a target column to splits, a study and its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from opening import opened
from ridgeline.checking import ConfigError
from ridgeline.command_line.places import CONF
from ridgeline.config import Config, as_tree, parse
from ridgeline.data import load_splits
from ridgeline.data.rows import split_rows
from ridgeline.data.sources import read_source
from ridgeline.data.test_split import Opening, confirming, open_test_split

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


def test_columns_of_the_file_decide_the_splits(file: Path) -> None:
    frame = pd.read_csv(file).drop(columns="price")
    days = [f"2024-{1 + row // 25:02d}-{1 + row % 25:02d}" for row in range(N)]
    parts = ["train"] * 80 + ["valid"] * 20 + ["test"] * 20
    frame.assign(shop=np.arange(N) // 6, day=days[::-1], part=parts[::-1]).to_csv(file, index=False)

    def rows(**data: str) -> list[list[int]]:
        drop = [name for name in ("shop", "day", "part") if name not in data.values()]
        config = parsed(file, "bought", data={"drop": drop, **data}).data
        found = split_rows(read_source(config), config)
        return [found.train.tolist(), found.validation.tolist(), found.test.tolist()]

    by_group, by_time, by_name = rows(group_on="shop"), rows(time_on="day"), rows(split_column="part")
    groups = [{row // 6 for row in split} for split in by_group]
    assert sum(map(len, groups)) == N // 6 == len(set.union(*groups))
    assert by_time == [list(range(48, N)), list(range(24, 48)), list(range(24))]
    assert by_name == [list(range(40, N)), list(range(20, 40)), list(range(20))]
    config = parsed(file, "bought", data={"drop": ["day", "part"], "group_on": "shop"}).data
    assert opened(config).groups_N.tolist() == [row // 6 for row in by_group[2]]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"time_on": "day", "split": "stratified"}, "`data.split=auto with data.time_on, which orders the rows` must"),
        (
            {"group_on": "shop", "split": "first"},
            "with data.group_on, whose groups are drawn` must hold, but got data.sp",
        ),
        (
            {"split_column": "part", "test_path": "x"},
            "`data.split_column=null where data.test_path has the test split`",
        ),
    ],
)
def test_ways_to_split_that_contradict_each_other_are_refused(file: Path, data: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parsed(file, "bought", data=data)
    assert line in str(raised.value)


def test_times_of_a_file_are_read_in_one_format_or_in_the_declared_one(file: Path) -> None:
    frame = pd.read_csv(file).drop(columns="price")
    days = [f"{1 + row // 12:02d}/{1 + row % 12:02d}/2024" for row in range(N)]  # both orders are possible

    def latest(column: list[str], **data: Any) -> list[int]:
        frame.assign(day=column).to_csv(file, index=False)
        config = parsed(file, "bought", data={"time_on": "day", **data}).data
        return split_rows(read_source(config), config).test.tolist()

    with pytest.raises(
        ConfigError, match=r"could be %m/%d/%Y or %d/%m/%Y; \"data\.dates=\['day:%d/%m/%Y'\]\" says which"
    ):
        latest(days)
    by_month = sorted(range(N), key=lambda row: (row % 12, row // 12))
    assert latest(days, dates=["day:%d/%m/%Y"]) == sorted(by_month[-24:])
    with pytest.raises(ConfigError, match=r"must hold, but got day with soon in row 8\.$"):
        latest([*["2024-01-31"] * 7, "soon", *["2024-02-28"] * (N - 8)])


def test_the_same_rows_opened_with_other_features_are_the_same_test_split(file: Path, tmp_path: Path) -> None:
    def opening(target: str, **data: Any) -> Opening:
        with confirming():
            return open_test_split(parsed(file, target, data=data).data, tmp_path / "ledger.jsonl", {"study": "a"})[1]

    first, again = opening("bought", drop=["price"]), opening("bought", drop=["price", "town"], standardize="all")
    assert again.test_hash == first.test_hash
    assert again.number == 2
    assert opening("price", drop=["bought"]).number == 1


def test_a_test_file_leaves_all_rows_of_the_other_to_train_and_validation(file: Path) -> None:
    tested = file.with_name("tested.csv")
    pd.read_csv(file).head(30).to_csv(tested, index=False)
    asked = {"drop": ["price"], "test_path": str(tested), "train": 0.8, "validation": 0.2}
    assert load_splits(parsed(file, "bought", data=asked).data).description.examples == (96, 24, 30)
    with pytest.raises(ConfigError, match=r"data\.train \+ data\.validation < 1"):
        parsed(file, "bought", data={**asked, "test_path": None})


@pytest.mark.parametrize(
    ("typed", "network"), [((), "tabular"), (("network=mlp",), "mlp"), (("experiment=by_hand/dropout",), "mlp")]
)
def test_a_table_has_the_network_for_tables_where_none_is_named(typed: tuple[str, ...], network: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("config", ["data=table", *typed]).network.name == network
        assert compose("config", ["data=wine", *typed]).network.name == "mlp"
