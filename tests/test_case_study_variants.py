"""The case study's settings are the tutorial's, with Keras's meaning of each number."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from ridgeline.config import Config, OptimizerConfig, as_tree
from ridgeline.config.batchable import structure
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.data import Split, Splits, load_splits
from ridgeline.entry_points import ROOT, checked
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline_recipes.by_hand import reference
from ridgeline_recipes.case_study.kept import kept_fit
from ridgeline_recipes.case_study.variants import BY_NAME, compose_all, tune

MNIST = Path(os.environ.get("RIDGELINE_MNIST", ROOT.parent / "shared" / "data" / "mnist"))
needs_mnist = pytest.mark.skipif(
    not MNIST.is_dir(), reason="no MNIST here: RIDGELINE_MNIST=FOLDER of the four IDX files"
)
SMALL = ["data=digits", "data.train=0.6", "data.validation=0.2", "network.hidden=[16,12]", "optimizer.lr=0.01"]

BASELINE = {
    "data.name": "mnist",
    "data.split": "first",
    "data.train": 0.7,
    "data.validation": 0.3,
    "data.standardize": "none",
    "data.fit_on": "train",
    "data.examples": None,
    "network.name": "mlp",
    "network.hidden": [500] * 5,
    "network.activation": "relu",
    "network.initialization": "xavier_uniform",
    "loss.name": "cross_entropy",
    "metric": "val/error",
    "optimizer.name": "adam",
    "optimizer.lr": 1e-3,
    "optimizer.betas": [0.9, 0.999],
    "optimizer.eps": 1e-7,
    "optimizer.weight_decay": 0.0,
    "optimizer.gradient_clip_val": None,
    "lr_schedule.name": "constant",
    "trainer.batch_size": 128,
    "trainer.max_epochs": 10,
    "trainer.restore_best": False,
    "regularization.l1": 0.0,
    "regularization.l2": 0.0,
    "regularization.dropout": None,  # as its author gave it: the network has none
    "regularization.input_dropout": 0.0,
    "regularization.max_norm": 0.0,
    "regularization.penalize": "hidden",
    "regularization.l1_form": "subgradient",
    "callbacks.early_stopping": None,
    "callbacks.dropout_schedule": None,
    "callbacks.penalty_schedule": None,
}
STOPPING = {"monitor": "val/error", "patience": 2, "min_delta": 0.0}
DIFFERENT: dict[str, dict[str, Any]] = {
    "baseline": {},
    "l2": {"regularization.l2": 2e-4},
    "l1": {"regularization.l1": 1e-4},
    "dropout": {"regularization.dropout": 0.25},
    "augmentation": {"regularization.dropout": 0.25, "data.standardize": "zca", "data.zca_epsilon": 1e-6},
    "augmentation_listing": {"regularization.dropout": 0.25},
    "early_stopping": {f"callbacks.early_stopping.{k}": v for k, v in {**STOPPING, "start_from_epoch": 0}.items()},
    "early_stopping_listing": {
        "regularization.dropout": 0.25,
        "trainer.max_epochs": 20,
        **{f"callbacks.early_stopping.{k}": v for k, v in {**STOPPING, "start_from_epoch": 10}.items()},
    },
}


def composed(choice: str, *overrides: str) -> Config:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return checked(compose("config", overrides=[f"experiment={choice}", *overrides]))


def variants(*overrides: str) -> dict[str, Config]:
    return compose_all(lambda choice: composed(choice, *overrides))


def flat(config: Config) -> dict[str, Any]:
    def walk(node: Any, path: str) -> dict[str, Any]:
        if not isinstance(node, dict):
            return {path: node}
        return {key: value for name in node for key, value in walk(node[name], f"{path}.{name}".lstrip(".")).items()}

    return walk({name: value for name, value in as_tree(config).items() if name not in NOT_TRAINED}, "")


def test_there_is_a_file_for_each_variant_and_no_other() -> None:
    assert {path.stem for path in (ROOT / "conf/experiment/case_study").glob("*.yaml")} == set(BY_NAME)
    assert {*DIFFERENT, "tuned"} == set(BY_NAME)


def test_baseline_is_the_tutorials_network() -> None:
    known = flat(composed("case_study/baseline"))
    assert {key: known[key] for key in BASELINE} == BASELINE
    assert not any(value for key, value in known.items() if key.startswith("augmentation."))


@pytest.mark.parametrize("name", DIFFERENT)
def test_variant_differs_from_baseline_in_nothing_else(name: str) -> None:
    baseline, own = flat(composed("case_study/baseline")), flat(composed(f"case_study/{name}"))
    found = {key: value for key, value in own.items() if key not in baseline or baseline[key] != value}
    assert found == DIFFERENT[name]


def test_tuned_is_baseline_with_l2_and_dropout() -> None:
    baseline, tuned = flat(composed("case_study/baseline")), flat(composed("case_study/tuned"))
    assert {key for key in baseline if baseline[key] != tuned[key]} == {"regularization.l2", "regularization.dropout"}
    found = tune(variants(), 0.003, 0.4)["tuned"].regularization
    assert (found.l2, found.dropout, found.penalize) == (0.003, 0.4, "hidden")


def test_variants_that_differ_in_knobs_share_a_stack() -> None:
    every = variants()
    assert len({structure(every[name]) for name in ("baseline", "l2", "l1", "dropout", "tuned")}) == 1


@pytest.mark.parametrize("name", ["l2", "l1"])
def test_penalty_and_gradient_are_keras_on_hidden_layers_alone(name: str, digits64: Splits) -> None:
    """keras.regularizers: l2(x) is x * sum(W^2), l1(x) is x * sum(|W|), of each kernel that has one."""
    x = 1e-4
    config = variants(*SMALL)[name]
    stack = Stack([config], digits64)
    *hidden, output = [linear.weight[0].detach().numpy() for linear in stack.network.module.linears]
    keras = {"l2": lambda w: x * np.square(w).sum(), "l1": lambda w: x * np.abs(w).sum()}[name]
    slope = {"l2": lambda w: 2 * x * w, "l1": lambda w: x * np.sign(w)}[name]
    assert stack.penalties_K().item() == pytest.approx(sum(keras(w) for w in hidden), rel=1e-12)
    # What a step of plain gradient descent takes off, however the engine splits it: l2 may be the optimizer's.
    stack.rows.grads_KP.zero_()
    stack.add_to_gradients_()
    gradient = stack.rows.unpack(stack.rows.grads_KP[0])
    decay = stack.optimizer.torch_optimizer.param_groups[0]["weight_decay"]
    for i, w in enumerate(hidden):
        np.testing.assert_allclose(gradient[f"linears.{i}.weight"].numpy().T + decay * w, slope(w), atol=1e-15)
        assert not gradient[f"linears.{i}.bias"].any()
    assert not gradient[f"linears.{len(hidden)}.weight"].any()
    assert output.any()


def test_weights_are_glorot_uniform_and_biases_zero(digits: Splits) -> None:
    stack = Stack([composed("case_study/baseline", "data=digits", *SMALL[1:3])], digits)
    for linear in stack.network.module.linears:
        _, n_in, n_out = linear.weight.shape
        limit = math.sqrt(6 / (n_in + n_out))
        assert 0.95 * limit < linear.weight.abs().max() <= limit
        assert not linear.bias.any()


def test_whitening_of_the_text_is_fitted_on_train_and_applied_to_both_splits() -> None:
    every = variants("data=digits", "data.train=0.6", "data.validation=0.2")
    raw, white = (load_splits(every[name].data) for name in ("dropout", "augmentation"))
    covariance = torch.cov(white.train.x_NI.T.double(), correction=0)
    varies = torch.cov(raw.train.x_NI.T.double(), correction=0).diagonal() > 0.5
    assert torch.allclose(covariance[varies][:, varies], torch.eye(int(varies.sum())).double(), atol=1e-2)
    expected = white.scaler.apply(raw.validation.x_NI.numpy())
    assert np.array_equal(white.validation.x_NI.numpy(), expected)
    assert not np.array_equal(white.validation.x_NI.numpy(), raw.validation.x_NI.numpy())


def test_whitening_of_the_listing_is_the_dropout_network_itself(tmp_path: Path) -> None:
    every = variants(*SMALL)
    assert every["augmentation_listing"] == every["dropout"]
    assert kept_fit(tmp_path, every["augmentation_listing"]) == kept_fit(tmp_path, every["dropout"])
    assert kept_fit(tmp_path, every["augmentation"]) != kept_fit(tmp_path, every["dropout"])


def test_early_stopping_of_the_listing_goes_on_with_the_networks_of_dropout() -> None:
    every = variants(*SMALL)
    (before,) = fit([every["dropout"]], load_splits(every["dropout"].data))
    (after,) = fit([every["early_stopping_listing"]], load_splits(every["dropout"].data))
    assert after.history[:10] == before.history
    assert 12 <= after.epochs <= 20
    counted = [row["val/error"] for row in after.history[10:]]
    assert after.epochs == 10 + stops_after(counted, patience=2)


def test_early_stopping_does_not_see_the_epochs_before_it_starts() -> None:
    """A learning rate of nothing: no epoch is better than the one before, so the patience is all that is trained."""
    for start in (0, 3):
        own = ["optimizer.lr=1e-12", f"callbacks.early_stopping.start_from_epoch={start}"]
        config = composed("case_study/early_stopping", *SMALL[:4], *own, "trainer.enable_progress_bar=false")
        (result,) = fit([config], load_splits(config.data))
        assert result.epochs == start + 1 + 2


def stops_after(errors: list[float], patience: int) -> int:
    best, waited = math.inf, 0
    for epoch, error in enumerate(errors, start=1):
        best, waited = (error, 0) if error < best else (best, waited + 1)
        if waited == patience:
            return epoch
    return len(errors)


@needs_mnist
@pytest.mark.parametrize("name", ["baseline", "l2", "l1"])
def test_objective_on_mnist_and_a_step_down_it_equal_the_network_by_hand(name: str) -> None:
    """In float64, with the full network; one step of plain gradient descent at a rate of 1 is the gradient of J."""
    config = variants(f"data.root={MNIST}", "optimizer=sgd", "optimizer.lr=1.0", "trainer.max_epochs=1")[name]
    config = replace(config, optimizer=OptimizerConfig("sgd", lr=1.0))
    whole = load_splits(config.data)
    train = Split(whole.train.x_NI[:128].double(), whole.train.y_N[:128])
    splits = replace(whole, train=train, validation=train)
    stack = Stack([config], splits)
    layers = [(li.weight[0].detach().numpy(), li.bias[0].detach().numpy()) for li in stack.network.module.linears]
    x, y = train.x_NI.numpy(), train.y_N.numpy()
    free = reference.Setting(keep=[1.0] * 6)
    penalized = replace(free, l1=config.regularization.l1, l2=config.regularization.l2)
    # The output layer is free of the penalty, so it is without it in J, and its gradient is that of J without.
    output = [layers[-1]]
    nothing = np.zeros((1, 500)), np.zeros(1, int)
    of_output = reference.objective(output, *nothing, penalized) - reference.objective(output, *nothing, free)
    j = reference.objective(layers, x, y, penalized) - of_output
    ours = stack.data_loss.mean_K(stack.network(train.x_NI[None]), train.y_N[None]) + stack.penalties_K()
    assert ours.item() == pytest.approx(j, rel=1e-6)
    theirs = [
        *reference.gradients(layers, x, y, penalized)[:-1],
        reference.gradients(layers, x, y, free)[-1],
    ]
    (result,) = fit([config], splits)
    for i, ((w, _), (d_w, _)) in enumerate(zip(layers, theirs, strict=True)):
        np.testing.assert_allclose(w - result.weights[f"linears.{i}.weight"].numpy().T, d_w, rtol=1e-6, atol=1e-12)


@needs_mnist
def test_the_first_42000_images_train_and_18000_validate_in_zero_to_one() -> None:
    splits = load_splits(composed("case_study/baseline", f"data.root={MNIST}").data)
    assert splits.description.examples == (42000, 18000, 10000)
    assert (splits.train.x_NI.min().item(), splits.train.x_NI.max().item()) == (0.0, 1.0)
