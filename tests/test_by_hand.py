"""The network by hand and its Lightning twin: the same points, initial weights and masks give the same weights."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mlflow import MlflowClient

from ridgeline.checking import ConfigError
from ridgeline.config import Config
from ridgeline.data import Split, Splits, load_splits
from ridgeline.entry_points import ROOT
from ridgeline.stack.fitted import Fitted
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.networks import shape_of
from ridgeline.stack.prediction import logits_KNC
from ridgeline.strengths import strengths_of
from ridgeline_recipes.by_hand import limits, reference, twin
from settings import small
from test_conf import MNIST, composed

QUIET = "trainer.enable_progress_bar=false"
TOLERANCE = 1e-12
"""Between any two weights after 300 steps in float64; after 3000 the largest is some 2e-15."""


def moons(**overrides: object) -> Config:
    return small(**{"data__name": "moons", "data__examples": 100, "data__noise": 0.3, **overrides})


def pair(*overrides: str) -> twin.Pair:
    config = composed("experiment=by_hand/baseline", "trainer.max_epochs=300", QUIET, *overrides)
    limits.check(config)
    return twin.train_pair(config)


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=by_hand/baseline"],
        ["experiment=by_hand/l2"],
        ["experiment=by_hand/dropout"],
        ["experiment=by_hand/dropout", "regularization.l2=0.01", "regularization.input_dropout=0.2", "seed=7"],
        ["network.hidden=[4]", "network.activation=tanh", "optimizer.lr=1.0"],
        ["network.activation=sigmoid"],
    ],
)
def test_twin_ends_with_the_weights_of_the_network_by_hand(overrides: list[str]) -> None:
    both = pair(*overrides)
    assert both.difference < TOLERANCE
    assert len(both.hand_costs) == 300
    np.testing.assert_allclose(both.hand_costs, both.twin_costs, rtol=0, atol=TOLERANCE)
    assert both.hand_costs[-1] < both.hand_costs[0]


def test_other_masks_give_other_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the equality with dropout on is one of the masks too, each in its step."""
    right = reference.train

    def shifted(*given, masks, **named):  # type: ignore[no-untyped-def]
        return right(*given, masks=[*masks[1:], masks[0]], **named)

    monkeypatch.setattr(reference, "train", shifted)
    assert pair("experiment=by_hand/dropout").difference > 1e-3


def test_masks_kept_share_the_rate_and_change_from_step_to_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    right = reference.train

    def watched(*given, masks, **named):  # type: ignore[no-untyped-def]
        seen.extend(masks)
        return right(*given, masks=masks, **named)

    monkeypatch.setattr(reference, "train", watched)
    pair("experiment=by_hand/dropout")
    features, wide, narrow = (np.array([masks[layer] for masks in seen]) for layer in range(3))
    assert features.all()
    assert wide.mean() == pytest.approx(0.8, abs=4 * (0.8 * 0.2 / wide.size) ** 0.5)
    assert narrow.mean() == pytest.approx(0.9, abs=4 * (0.9 * 0.1 / narrow.size) ** 0.5)
    assert not (wide[0] == wide[1]).all()


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("data=digits network.output=softmax", "`data.name is moons` must hold, but got data.name=digits"),
        ("network.output=softmax", "`network.output is sigmoid` must hold, but got network.output=softmax"),
        ("optimizer.momentum=0.9", "`optimizer.momentum is 0.0` must hold, but got optimizer.momentum=0.9"),
        ("trainer.batch_size=10", "`trainer.batch_size is null` must hold, but got trainer.batch_size=10"),
        ("regularization.max_norm=1", "`regularization.max_norm is 0.0` must hold"),
        ("callbacks=early_stopping", "`callbacks is none` must hold, but got callbacks=some"),
    ],
)
def test_what_is_not_done_by_hand_is_refused(override: str, line: str) -> None:
    with pytest.raises(ConfigError, match="experiment=by_hand/baseline has all") as refusal:
        limits.check(composed("experiment=by_hand/baseline", *override.split()))
    assert line in str(refusal.value)


@pytest.mark.parametrize("name", sorted(set(strengths_of(small().regularization)) - set(limits.REGULARIZERS)))
def test_regularizer_that_is_not_done_by_hand_is_refused(name: str) -> None:
    """One that comes later too."""
    config = composed("experiment=by_hand/baseline")
    on = replace(config, regularization=replace(config.regularization, **{name: 0.1}))
    with pytest.raises(ConfigError, match=f"`regularization.{name} is 0.0` must hold"):
        limits.check(on)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "RIDGELINE_RUNS": str(folder / "runs")}
    command = [sys.executable, str(ROOT / "pipelines/by_hand.py"), *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.verify
def test_entry_point_states_the_difference_and_records_picture_and_numbers_as_one_run(tmp_path: Path) -> None:
    done = run(tmp_path, "experiment=by_hand/dropout", "trainer.max_epochs=50", QUIET)
    assert done.returncode == 0, done.stderr
    assert "2-20-3-1, 90 points, 50 steps of gradient descent with lr 0.1" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Largest difference")]
    assert float(line.rpartition(" ")[2]) < TOLERANCE
    (picture,) = tmp_path.rglob("runs/jobs/*/*/by_hand.png")
    with (picture.parent / "history.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 50
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs/mlflow.db'}")
    experiment = client.get_experiment_by_name("ridgeline")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.metrics["by_hand/difference"] < TOLERANCE
    assert {file.path for file in client.list_artifacts(found.info.run_id)} >= {"by_hand.png"}
    assert found.data.tags["ridgeline.state"] == "COMPLETE"


@pytest.mark.verify
def test_entry_point_refuses_in_one_line_and_writes_nothing(tmp_path: Path) -> None:
    for arguments in (
        [],
        ["-m", "experiment=by_hand/l2,by_hand/baseline"],
        ["experiment=by_hand/baseline", "loss=hinge"],
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1, done.stderr
        assert list(tmp_path.iterdir()) == []


# The sigmoid output --------------------------------------------------------------------------------------------------


def test_one_logit_beside_0_is_the_sigmoid_with_binary_cross_entropy() -> None:
    config = moons(network__output="sigmoid", seed=2)
    stack = Stack([config], load_splits(config.data))
    assert stack.network.module.linears[-1].weight.shape == (1, 16, 1)
    train = stack.splits.train
    logits_NC = stack.network(train.x_NI.unsqueeze(0))[0]
    z_N = logits_NC[:, 1]
    torch.testing.assert_close(torch.softmax(logits_NC, dim=1)[:, 1], torch.sigmoid(z_N))
    binary = F.binary_cross_entropy_with_logits(z_N, train.y_N.float())
    torch.testing.assert_close(F.cross_entropy(logits_NC, train.y_N), binary)
    assert ((logits_NC.argmax(dim=1) == 1) == (z_N > 0)).all()


def test_fitted_network_with_a_sigmoid_gives_two_probabilities_and_survives_its_folder(tmp_path: Path) -> None:
    config = moons(network__output="sigmoid", trainer__max_epochs=30)
    splits = load_splits(config.data)
    (result,) = fit([config], splits)
    assert result.metrics["final/val_error"] < 0.3
    fitted = Fitted(config, result.weights, splits.scaler, shape_of(splits))
    assert fitted.n_classes == 2
    p_NC = fitted.predict(np.array([[0.0, 1.0], [1.0, -0.5], [2.0, 0.5]], np.float32))
    np.testing.assert_allclose(p_NC.sum(axis=1), 1, rtol=1e-6)
    logits_NC = logits_KNC(config, [result.weights], splits.validation.x_NI)[0]
    errors = (logits_NC.argmax(dim=1) != splits.validation.y_N).double().mean().item()
    assert errors == pytest.approx(result.metrics["final/val_error"], abs=1e-6)


# The reference on real images ----------------------------------------------------------------------------------------


def test_objective_of_the_case_study_on_a_real_mnist_batch_equals_the_network_by_hand() -> None:
    """784-5x500-10 with the penalty on the hidden layers of Keras's l2(1e-4) and dropout, a batch of 128, float64."""
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST in {MNIST}: set RIDGELINE_MNIST to a folder of its four IDX files")
    config = composed(
        "data=mnist",
        f"data.root={MNIST}",
        "data.examples=500",
        "network.hidden=[500,500,500,500,500]",
        "regularization.l2=2e-4",
        "regularization.dropout=0.25",
    )
    splits = load_splits(config.data)
    batch = Split(splits.train.x_NI[:128], splits.train.y_N[:128]).double()
    stack = Stack([config], replace(splits, train=batch))
    loss_K, *_ = stack.losses(torch.arange(128).unsqueeze(0))
    stack.rows.differentiate(loss_K)
    gradients = stack.rows.unpack(stack.rows.grads_KP[0] + 2e-4 * weights_only(stack))
    layers = [(li.weight[0].detach().numpy(), li.bias[0].detach().numpy()) for li in stack.network.module.linears]
    layers_with_bits = list(stack.network.dropouts)
    masks = [np.ones((128, 784), bool), *((d.bits <= d.threshold)[0].numpy() for d in layers_with_bits)]
    setting = reference.Setting(l2=2e-4, masks=masks, keep=[1.0, *[0.75] * 5])
    x, y = batch.x_NI.numpy(), batch.y_N.numpy()
    j = (loss_K + stack.penalties_K()).item()
    assert j == pytest.approx(reference.objective(layers, x, y, setting), abs=1e-6, rel=1e-6)
    for i, (d_w, d_b) in enumerate(reference.gradients(layers, x, y, setting)):
        np.testing.assert_allclose(gradients[f"linears.{i}.weight"].numpy().T, d_w, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(gradients[f"linears.{i}.bias"].numpy(), d_b, rtol=1e-6, atol=1e-9)


def weights_only(stack: Stack) -> torch.Tensor:
    row_P = stack.rows.values_KP[0].clone()
    row_P[stack.rows.n_weights :] = 0
    return row_P


def test_sigmoid_is_refused_for_more_than_two_classes(digits: Splits) -> None:
    with pytest.raises(ConfigError, match=r"network\.output is softmax unless data in"):
        small(network__output="sigmoid")
    sigmoid = replace(small(), network=replace(small().network, output="sigmoid"))
    with pytest.raises(ConfigError, match=r"network\.output is softmax with 10 classes"):
        Stack([sigmoid], digits)
