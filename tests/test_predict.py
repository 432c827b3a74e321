"""A champion of a table: raw rows in, probabilities by the names of classes or numbers out; a file of predictions."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException

from champions import confirmed
from ridgeline.checking import ConfigError
from ridgeline.command_line.places import ROOT
from ridgeline.config import Config, parse
from ridgeline.data import load_splits
from ridgeline.evaluation import scoring
from ridgeline.evaluation.scoring import open_model, predict_file, predictions
from ridgeline.stack.fitted import Fitted, load_fitted
from ridgeline.stack.fitting import fit
from ridgeline.stack.networks import shape_of
from ridgeline.tracking import Tracker, store_uri
from ridgeline.tracking.champion import register_champion

N = 150


@dataclass(frozen=True)
class Registered:
    config: Config
    fitted: Fitted
    frame: pd.DataFrame


def table(folder: Path) -> Path:
    draw = np.random.default_rng(3)
    size_N, town_N = draw.normal(3, 2, N), draw.choice(["Aby", "Bex", "Cam"], N)
    frame = pd.DataFrame({"id": range(N), "size": size_N.round(2), "town": town_N, "rooms": draw.integers(1, 6, N)})
    frame["bought"] = np.where(size_N + (town_N == "Bex") > 3, "yes", "no")
    frame["price"] = 900 + 7.5 * size_N
    path = folder / "shop.csv"
    frame.to_csv(path, index=False)
    return path


def fitted_of(path: Path, target: str, **data: Any) -> Fitted:
    tree = {
        "data": {"name": "table", "path": str(path), "target": target, **data},
        "network": {"name": "mlp", "hidden": [8]},
        "optimizer": {"name": "adam", "lr": 0.01},
        "trainer": {"max_epochs": 5, "batch_size": 30, "enable_progress_bar": False},
        "runs": str(path.parent / "runs"),
    }
    configs = [parse({**tree, "seed": seed}) for seed in range(3)]
    splits = load_splits(configs[0].data)
    first, *others = fit(configs, splits)
    weights = tuple(one.weights for one in others)
    return Fitted(configs[0], first.weights, splits.scaler, shape_of(splits), splits.description.class_names, weights)


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    path = table(tmp_path_factory.mktemp("shop"))
    fitted = fitted_of(path, "bought", drop=["id", "price"])
    encoder = fitted.scaler.encoder
    assert encoder is not None
    record = confirmed(fitted.config, "shops")
    with Tracker(fitted.config) as tracker:
        study = tracker.start_study("shops", fitted.config, load_splits(fitted.config.data).description, {})
        study.finish("COMPLETE")
        register_champion(tracker, study.id, fitted, encoder.example, record)
    frame = pd.read_csv(path)
    path.unlink()  # nothing that follows needs the table
    return Registered(fitted.config, fitted, frame)


@pytest.fixture
def model(registered: Registered) -> Any:
    mlflow.set_tracking_uri(store_uri(registered.config))
    yield mlflow.pyfunc.load_model("models:/ridgeline-shop@champion")
    mlflow.set_tracking_uri(None)


def test_raw_rows_give_probabilities_by_the_names_of_the_classes(registered: Registered, model: Any) -> None:
    found = model.predict(registered.frame)
    assert list(found.columns) == ["no", "yes"]
    np.testing.assert_array_equal(found.to_numpy(), registered.fitted.predict(registered.frame))
    assert (found["yes"] > 0.5).eq(registered.frame["bought"] == "yes").mean() > 0.8
    inputs = {column.name: str(column.type) for column in model.metadata.signature.inputs}
    assert inputs == {"size": "Any", "town": "DataType.string", "rooms": "Any"}
    assert list(model.input_example.columns) == ["size", "town", "rooms"]


def test_order_extra_columns_missing_values_and_new_categories_are_taken(registered: Registered, model: Any) -> None:
    few = registered.frame[["size", "town", "rooms"]].head(4)
    expected = model.predict(few)
    turned = few[few.columns[::-1]].assign(extra="x")
    pd.testing.assert_frame_equal(model.predict(turned), expected)
    odd = few.assign(size=[1, None, 3, 4], town=["Aby", None, "Dax", "Cam"])  # whole numbers, nothing, a new town
    assert np.isfinite(model.predict(odd).to_numpy()).all()


def test_a_lacking_column_and_a_text_for_a_number_are_refused_in_one_line(registered: Registered, model: Any) -> None:
    few = registered.frame[["size", "town", "rooms"]].head(2)
    for given, words in ((few.drop(columns="rooms"), "column rooms"), (few.assign(size="big"), "big")):
        with pytest.raises(MlflowException, match=words) as refused:
            model.predict(given)
        assert "\n" not in str(refused.value)


def test_a_file_of_any_length_is_predicted_in_pieces(
    registered: Registered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "ROWS", 40)
    new, out = tmp_path / "new.csv", tmp_path / "p.csv"
    registered.frame.drop(columns=["bought", "price"]).to_csv(new, index=False)
    assert predict_file(open_model("ridgeline-shop@champion", registered.config), str(new), out, "id") == N
    found, whole = pd.read_csv(out), predictions(registered.fitted, registered.frame, registered.frame.index)
    assert list(found.columns) == ["id", "prediction", "probability_no", "probability_yes"]
    assert (found["id"] == registered.frame["id"]).all()
    assert (found["prediction"] == whole["prediction"]).all()
    np.testing.assert_allclose(found["probability_yes"], whole["probability_yes"], rtol=1e-6)


def test_what_cannot_be_predicted_leaves_no_file(registered: Registered, tmp_path: Path) -> None:
    new, out = tmp_path / "new.csv", tmp_path / "p.csv"
    registered.frame.drop(columns="town").to_csv(new, index=False)
    with pytest.raises(ConfigError, match="the table has the column town"):
        predict_file(registered.fitted, str(new), out)
    with pytest.raises(ConfigError, match=r"got keep=nam\."):
        predict_file(registered.fitted, str(new), out, "nam")
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_a_model_that_is_not_there_is_refused_with_the_nearest(registered: Registered) -> None:
    with pytest.raises(ConfigError, match=r"got model=ridgeline-shopp\. Did you mean ridgeline-shop\?"):
        open_model("ridgeline-shopp", registered.config)
    with pytest.raises(ConfigError, match=r"model is NAME@ALIAS, NAME/VERSION or NAME"):
        open_model("a/b/c", registered.config)


def test_a_models_name_is_taken_where_model_is_a_group_of_choices_too(tmp_path: Path) -> None:
    mine = tmp_path / "conf" / "model" / "mnist.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("_target_: mine.Lit\n")

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        script = str(ROOT / "pipelines" / "predict.py")
        return subprocess.run([sys.executable, script, *words], cwd=tmp_path, capture_output=True, text=True)

    shown = yaml.safe_load(typed("model=ridgeline-shop@champion", "keep=[id]", "--cfg", "job").stdout)
    assert (shown["model"], shown["keep"]) == ({"name": "ridgeline-shop@champion"}, ["id"])
    assert "trainer" not in shown
    refused = typed("model=ridgeline-shop@champion", "data.path=new.csv", "out=new.csv")
    assert refused.stderr.splitlines()[-1].startswith("error: `out is another file than data.path` must hold")
    assert typed("--help").stdout.count("\n") < 20


def test_numbers_come_with_the_spread_of_the_seeds_and_in_their_own_unit(tmp_path: Path) -> None:
    path = table(tmp_path)
    fitted = fitted_of(path, "price", drop=["id", "bought"], split="random")
    fitted.save(tmp_path / "model")
    loaded = load_fitted(tmp_path / "model")
    frame = pd.read_csv(path)
    found = predictions(loaded, frame, frame.index)
    assert list(found.columns) == ["prediction", "low", "high"]
    seeds_SN = fitted.predict_with_each_seed(pd.read_csv(path))
    assert seeds_SN.shape == (3, N)
    np.testing.assert_array_equal(found["prediction"], seeds_SN[0])
    assert (found["low"] <= found["high"]).all()
    assert (found["low"] >= seeds_SN.min(axis=0) - 1e-9).all()
    assert math.isclose(found["prediction"].mean(), 922, rel_tol=0.05)
