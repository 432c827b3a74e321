"""What `prepare` understands of a table, and what looks wrong in it: leaks are caught, and refused where asked."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ridgeline.checking import ConfigError
from ridgeline.config import TableConfig, parse
from ridgeline.data.leak_check import check_leaks, what_looks_wrong
from ridgeline.data.overview import look_at

N = 400


def shop(draw: np.random.Generator) -> pd.DataFrame:
    """Customers with three visits each; what they buy follows from size and town, but for chance."""
    size_N, town_N = draw.normal(3, 2, N), draw.choice(["Aby", "Bex"], N)
    bought_N = np.where(size_N + (town_N == "Bex") + draw.normal(0, 2, N) > 3, "yes", "no")
    return pd.DataFrame({"size": size_N, "town": town_N, "bought": bought_N})


def table(frame: pd.DataFrame, folder: Path, target: str = "bought", **data: Any) -> TableConfig:
    path = folder / "shop.csv"
    frame.to_csv(path, index=False)
    tree = {"name": "table", "path": str(path), "target": target, **data}
    network, optimizer = {"name": "mlp", "hidden": [4]}, {"name": "adam", "lr": 0.01}
    config = parse({"data": tree, "network": network, "optimizer": optimizer}).data
    assert isinstance(config, TableConfig)
    return config


@pytest.fixture
def frame() -> pd.DataFrame:
    return shop(np.random.default_rng(1))


def said(config: TableConfig) -> str:
    return "\n".join(map(str, what_looks_wrong(config)))


def test_an_honest_table_has_nothing_that_looks_wrong(frame: pd.DataFrame, tmp_path: Path) -> None:
    assert what_looks_wrong(table(frame, tmp_path)) == ()


@pytest.mark.parametrize("kind", ["numbers with noise", "other names", "regression"])
def test_a_column_that_gives_the_target_away_is_found(kind: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    is_bought, draw, target = frame["bought"] == "yes", np.random.default_rng(2), "bought"
    if kind == "numbers with noise":
        frame["fee"] = is_bought + draw.normal(0, 0.1, N)
    elif kind == "other names":
        frame["fee"] = np.where(is_bought, "paid", "open")
    else:
        frame["price"], target = 900 + 7.5 * frame["size"], "price"
        frame = frame.rename(columns={"size": "fee"})
    config = table(frame, tmp_path, target)
    assert "the column fee gives the target away" in said(config)
    assert "data.drop=[fee]" in said(config)
    with pytest.raises(ConfigError, match=r"no leak with data\.leaks=refuse` must hold, but the column fee"):
        check_leaks(table(frame, tmp_path, target, leaks="refuse"))


def test_rows_that_are_in_two_splits_are_counted(frame: pd.DataFrame, tmp_path: Path) -> None:
    doubled = pd.concat([frame, frame.head(100)], ignore_index=True)
    config = table(doubled, tmp_path)
    assert "rows of the test split have the same features as one of the train split" in said(config)
    with pytest.raises(ConfigError, match=r"data\.leaks=refuse"):
        check_leaks(table(doubled, tmp_path, leaks="refuse"))


def test_a_group_in_two_splits_is_found_and_the_cure_cures(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["customer_id"] = np.arange(N) // 4
    assert "groups of the column customer_id are in the train and in the test split" in said(table(frame, tmp_path))
    assert "customer_id" not in said(table(frame, tmp_path, group_on="customer_id"))


def test_what_else_looks_wrong_has_a_line_with_its_cure(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["row"] = np.arange(1, N + 1)
    frame["when"] = pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d")
    frame["grade"] = np.random.default_rng(3).integers(1, 6, N)
    lines = said(table(frame, tmp_path, "grade"))
    assert "the column row looks like an identifier (400 values in 400 rows): 'data.drop=[row]'." in lines
    assert "data.time_on=when" in lines
    assert (
        "the 5 whole numbers of grade are taken for classes: if they are amounts or grades, task=regression." in lines
    )


@pytest.mark.parametrize("name", ["my fee", "a=b", "it's $5 [net]", "fee"])
def test_a_cure_is_an_argument_for_the_shell_and_for_hydra(name: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    frame[f"{name} user"] = np.arange(N) // 4
    frame[name] = (frame["bought"] == "yes") + np.random.default_rng(2).normal(0, 0.1, N)
    frame[f"{name} id"] = np.arange(N)
    frame[f"{name} day"] = pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d")
    arguments = [word for finding in what_looks_wrong(table(frame, tmp_path)) for word in shlex.split(finding.cure)]
    found = [OverridesParser.create().parse_override(word) for word in arguments if word.startswith("data.")]
    assert {(one.key_or_group, str(one.value())) for one in found} >= {
        ("data.drop", str([name])),
        ("data.drop", str([f"{name} id"])),
        ("data.group_on", f"{name} user"),
        ("data.time_on", f"{name} day"),
    }


def test_the_overview_has_a_line_for_each_column_and_says_what_is_left_out(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.loc[:39, "town"] = None
    frame["country"] = "X"
    frame.loc[:4, "bought"] = None
    frame.loc[5:7, "bought"] = "perhaps"
    found = look_at(table(frame, tmp_path))
    text = "\n".join(found.lines)
    assert "400 rows, 3 columns of features" in text
    assert "5 rows without it are left out" in text
    assert "classes of fewer than 5 rows are left out: perhaps (3)" in text
    columns = {one["column"]: one for one in found.columns}
    assert (columns["size"]["role"], columns["town"]["values"], columns["country"]["becomes"]) == (
        "number",
        2,
        "nothing",
    )
    assert columns["town"]["missing"] == pytest.approx(32 / 392)
    assert "country  dropped" in text.replace("country   ", "country  ")
