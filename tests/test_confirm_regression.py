"""Promise 8 in regression: the verdict is on the errors of examples, and is stated as RMSE or MAE in their unit."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ridgeline.config import ConfirmConfig, parse
from ridgeline.data import load_splits
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation.arms import compare, measure
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.measuring import Measured
from ridgeline.evaluation.stored import open_study
from ridgeline.evaluation.story import write_report
from ridgeline.evaluation.verdict import verdict
from ridgeline.stack.fitting import fit
from ridgeline.tasks.figures import of_examples
from settings import SMALL, small, tree
from sweeping import Studies
from test_stacked_study import train

DIABETES = {"data.name": "diabetes", "data.split": "random", "loss.name": "mse", "network.hidden": [8]}


def test_errors_are_in_the_targets_own_unit() -> None:
    """By the raw targets of scikit-learn, which nothing of ours has scaled."""
    config = parse(tree({**SMALL, **DIABETES, "trainer.max_epochs": 3}))
    splits = load_splits(config.data)
    fits = fit([replace(config, seed=seed) for seed in (1, 2)], splits)
    measured = measure(config, fits, splits.validation)
    own_N = splits.scaler.undo_targets(splits.validation.y_N.numpy())
    assert own_N.min() >= 25 and own_N.max() <= 346 and np.allclose(own_N, own_N.round(), atol=1e-4)  # noqa: PT018
    off_SN = measured.predictions_SNC[:, :, 0] - own_N
    np.testing.assert_allclose(measured.errors_SN, off_SN**2)
    for seed, result in enumerate(fits):
        assert math.sqrt(measured.errors_SN[seed].mean()) == pytest.approx(result.metrics["final/val_rmse"], rel=1e-4)
    absolute = measure(config, fits, splits.validation, "mae")
    np.testing.assert_allclose(absolute.errors_SN, abs(off_SN))


def test_the_difference_of_two_rmse_is_that_of_the_roots_with_the_test_of_the_squares() -> None:
    draw = np.random.default_rng(0)
    one_SN, other_SN = (draw.normal(0, scale, (5, 40)) ** 2 for scale in (1.0, 2.0))
    best, baseline = (Measured(np.zeros((5, 40, 1)), errors_SN, errors_SN) for errors_SN in (one_SN, other_SN))
    found = compare(best, baseline, "rmse")
    assert found["rmse"]["mean"] == pytest.approx(math.sqrt(one_SN.mean()) - math.sqrt(other_SN.mean()))
    assert found["rmse"]["p_value"] == found["loss"]["p_value"]  # here the loss is the squared error
    assert (found["rmse"]["high"] < 0) == (found["loss"]["high"] < 0)
    same = compare(best, best, "rmse")["rmse"]
    assert (same["mean"], same["p_value"]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("metric", "task", "loss", "figure"),
    [
        ("val/loss", "regression", "mse", "rmse"),
        ("val/loss", "regression", "huber", "rmse"),
        ("val/loss", "regression", "mae", "mae"),
        ("val/mae", "regression", "mse", "mae"),
        ("val/r2", "regression", "mae", "rmse"),
        ("val/auroc", "classification", "cross_entropy", "error"),
    ],
)
def test_a_verdict_is_on_a_mean_over_examples_whatever_the_metric_is(metric, task, loss, figure) -> None:
    assert of_examples(metric, task, loss) == figure


def test_the_verdict_says_the_figure_its_interval_and_how_many_examples() -> None:
    arms = [{"test": {"rmse": {"mean": mean}}, "seeds": [1, 2, 3]} for mean in (54.321, 57.0)]
    error = {"mean": -2.679, "low": -4.0, "high": -1.3584, "p_value": 0.0005}
    found = verdict(*arms, {"rmse": error}, {"regularization.l2": 0.1}, 89, "rmse")
    assert found["sentence"] == (
        "Regularization helps: test RMSE 54.32 with it, 57 without, a difference of -2.679"
        " (95% interval -4 to -1.358, p = 0.0005) over 3 seeds and 89 test examples."
    )
    assert found["examples"] is None  # errors of classes are counted, distances are not


def test_prices_are_written_with_all_of_their_digits() -> None:
    arms = [{"test": {"rmse": {"mean": mean}}, "seeds": [1, 2, 3]} for mean in (32487.3, 28432.0)]
    error = {"mean": 4055.3, "low": -3108.2, "high": 11218.9, "p_value": 0.27}
    found = verdict(*arms, {"rmse": error}, {"regularization.l2": 0.1}, 586, "rmse")
    assert found["sentence"] == (
        "No difference shown: test RMSE 32487 with it, 28432 without, a difference of +4055"
        " (95% interval -3108 to +11219, p = 0.27) over 3 seeds and 586 test examples."
    )


def test_a_difference_of_next_to_nothing_is_none_however_sure() -> None:
    arms = [{"test": {"rmse": {"mean": mean}}, "seeds": [1, 2, 3]} for mean in (57 - 2e-6, 57.0)]
    error = {"mean": -2e-6, "low": -3e-6, "high": -1e-6, "p_value": 0.001}
    found = verdict(*arms, {"rmse": error}, {"regularization.l2": 1e-8}, 89, "rmse")
    assert found["word"] == "no difference shown"
    assert not found["borderline"]
    assert found["sentence"].endswith("89 test examples, less than 0.1% of it.")
    large = verdict(*arms, {"rmse": {**error, "mean": -0.06}}, {"regularization.l2": 1e-8}, 89, "rmse")
    assert large["word"] == "helps"


@pytest.mark.verify
def test_a_study_of_regression_is_confirmed_reported_and_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    line = ("data=diabetes", "network.hidden=[8]", "trainer.max_epochs=5", "search.n_trials=6", "search.study_name=one")
    Studies(runs, runs / "mlflow.db").run("search=bayes", "search.n_startup_trials=4", *line, task=train)
    asked = replace(small(), runs=str(runs))
    stored, said = open_study(asked, "one"), list[str]()
    with confirming():
        confirm_study(stored, ConfirmConfig(top=2, selection_seeds=2, seeds=3), open_test_split, said.append)
    folder = stored.folder / "confirm"
    record, predictions = (
        json.loads((folder / "confirm.json").read_text()),
        load_file(folder / "predictions.safetensors"),
    )
    for name, arm in record["arms"].items():
        off_SN = predictions[f"{name}_SNC"][:, :, 0] - predictions["targets_N"]
        assert arm["test"]["rmse"]["mean"] == pytest.approx(off_SN.square().mean().sqrt().item())
        assert arm["test"]["r2"] < 1
    assert "test RMSE" in record["verdict"]["sentence"]
    page = write_report(replace(asked, study="one"))[0].read_text()
    assert "Test RMSE" in page
    assert "What is predicted" in page
    assert "could not be drawn" not in page
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{runs / 'mlflow.db'}")
    if record["verdict"]["word"] != "harms":
        model, splits = mlflow.pyfunc.load_model("models:/ridgeline-diabetes@champion"), load_splits(stored.config.data)
        answered_N = model.predict(splits.scaler.undo(splits.validation.x_NI.numpy()))
        assert answered_N.shape == (len(splits.validation.y_N),)
        own_N = splits.scaler.undo_targets(splits.validation.y_N.numpy())
        assert float(torch.tensor(answered_N - own_N).abs().mean()) < 2 * own_N.std()
