"""What benchmarks/tables.py promises: the same rows for all, each in its time, and figures with intervals."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from on_tables.networks import recipe_epochs_and_batch
from on_tables.scores import figures, mean_ranks
from on_tables.splits import read_table
from ridgeline import fit, load_splits
from ridgeline.api.composing import compose
from ridgeline.config import as_tree

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with one table, `vehicle`, of two classes, a text and a gap."""
    draw = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame({"height": draw.normal(size=n), "color": draw.choice(["red", "blue"], n)})
    frame["Class"] = np.where(frame["height"] + (frame["color"] == "red") + draw.normal(0, 0.3, n) > 0.5, "van", "bus")
    frame.loc[3, "height"] = np.nan
    frame.to_csv(tmp_path / "vehicle.csv", index=False)
    about = {"name": "vehicle", "file": "vehicle.csv", "target": "Class", "task": "binary", "cat_columns": ["color"]}
    (tmp_path / "index.json").write_text(json.dumps([about]))
    (tmp_path / "anchors.csv").write_text("name,talent_mlp\nvehicle,0.8+-0.01\n")
    return tmp_path


def test_splits_of_a_benchmark_table_are_those_of_the_published_rule(tables: Path) -> None:
    table = read_table(tables, "vehicle")
    classes = table.frame["Class"].to_numpy()
    seen, test = train_test_split(np.arange(200), test_size=0.2, random_state=42, stratify=classes)
    train, validation = train_test_split(seen, test_size=0.2, random_state=42, stratify=classes[seen])
    for name, rows in {"train": train, "validation": validation, "test": test}.items():
        np.testing.assert_array_equal(table.rows[name], rows)


def test_figures_of_a_benchmark_have_intervals_over_test_rows(tables: Path) -> None:
    table = read_table(tables, "vehicle")
    truth = table.numbers_of("test")
    right = np.full((len(truth), 2), 0.2)
    right[np.arange(len(truth)), truth] = 0.8
    right[0] = right[0, ::-1]
    found = figures(table, right)
    assert found["accuracy"] == pytest.approx(39 / 40)
    assert found["loss"] == pytest.approx(-(39 * np.log(0.8) + np.log(0.2)) / 40)
    error = np.std(np.r_[np.ones(39), 0], ddof=1) / 40**0.5
    assert found["accuracy_low"] == pytest.approx(39 / 40 - 1.96 * error)


def test_method_that_is_not_done_ranks_behind_all_that_are() -> None:
    losses = {"a": {"one": 1.0, "two": 2.0, "three": 2.0}, "b": {"one": 3.0, "three": 1.0}}
    ranks = mean_ranks(losses, ["one", "two", "three", "four"])
    assert ranks == {"one": 1.5, "two": 3.0, "three": 1.75, "four": 3.75}


@pytest.mark.verify
def test_benchmark_of_tables_goes_on_where_it_was_stopped(tables: Path) -> None:
    out = tables / "rows.csv"
    command = [sys.executable, "benchmarks/tables.py", "--tables", str(tables), "--out", str(out), "--only", "vehicle"]
    for methods in (["linear"], ["linear", "sklearn_mlp"]):
        ended = subprocess.run(
            [*command, "--budget", "300", "--methods", *methods], cwd=ROOT, capture_output=True, text=True, check=True
        )
    rows = list(csv.DictReader(out.open()))
    assert [row["method"] for row in rows] == ["linear", "sklearn_mlp"]
    assert {row["outcome"] for row in rows} == {"done"}
    assert all(float(row["accuracy"]) > 0.8 for row in rows)
    assert "| vehicle | TALENT's |" in ended.stdout
    assert "published mlp" in ended.stdout


def test_recipe_for_tables_trains_and_can_switch_each_regularizer_off(tables: Path) -> None:
    given = [f"data.path={tables / 'vehicle.csv'}", "data.target=Class", "trainer.max_epochs=1"]
    config = compose(["experiment=table", "search=bayes", *given, "trainer.enable_progress_bar=false"])
    assert (config.network.name, config.trainer.batch_size, config.search.n_trials) == ("tabular", 256, 32)
    searched = {key: text for key, text in config.search.params.items() if key.startswith("regularization.")}
    assert len(searched) >= 4
    assert all(text.startswith("choice(0, ") for text in searched.values())
    (result,) = fit([config], load_splits(config.data))
    assert result.failure is None


def test_recipe_for_tables_has_numbers_beside_their_bins_and_gives_way_to_a_network_that_is_named(tables: Path) -> None:
    given = ["experiment=table", f"data.path={tables / 'vehicle.csv'}", "data.target=Class"]
    recipe = compose(given)
    assert as_tree(recipe)["network"]["numeric"] == "piecewise_and_linear"
    assert recipe_epochs_and_batch() == (recipe.trainer.max_epochs, recipe.trainer.batch_size)
    assert as_tree(compose([*given, "network=tabular"]))["network"]["numeric"] == "piecewise"
    assert compose([*given, "network=mlp"]).network.name == "mlp"
