"""Promise 1: J and its gradients equal the NumPy reference and finite differences, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ridgeline.config import Config
from ridgeline.data import Splits
from ridgeline.regularizers.dropout import Dropout
from ridgeline.stack.module import Stack
from ridgeline_recipes.by_hand import reference
from settings import effect_of, small

CASES = {
    "plain": {},
    "l2": {"regularization__l2": 0.03},
    "l1": {"regularization__l1": 0.01, "regularization__l1_form": "subgradient"},
    "group lasso": {"regularization__group_lasso": 0.01, "regularization__l1_form": "subgradient"},
    "dropout": {"regularization__dropout": [0.4, 0.2]},
    "all": {
        "regularization__l1": 0.01,
        "regularization__l1_form": "subgradient",
        "regularization__l2": 0.03,
        "regularization__dropout": [0.5, 0.3],
        "regularization__input_dropout": 0.2,
    },
}


class OneStep:
    """J and gradients of the engine at the first batch, and the same fit by hand."""

    def __init__(self, configs: list[Config], splits: Splits, batch: int = 30) -> None:
        self.stack = Stack(configs, splits)
        self.x_KBI = splits.train.x_NI[:batch].expand(len(configs), -1, -1)
        self.y_KB = splits.train.y_N[:batch].expand(len(configs), -1)
        effect_of(self.stack, Dropout).fill_masks([config.seed for config in configs], [0] * len(configs), batch)

    def gradients_by_hand(self, k: int) -> tuple[float, list[reference.Layer]]:
        setting, x, y = self.setting(k), self.x_KBI[k].numpy(), self.y_KB[k].numpy()
        layers = self.layers(k)
        return reference.objective(layers, x, y, setting), reference.gradients(layers, x, y, setting)

    def layers(self, k: int) -> list[reference.Layer]:
        linears = self.stack.network.module.linears
        return [(li.weight[k].detach().numpy().copy(), li.bias[k].detach().numpy().copy()) for li in linears]

    def setting(self, k: int) -> reference.Setting:
        config = self.stack.configs[k]
        regularization = config.regularization
        layers = [self.stack.network.input_dropout, *self.stack.network.dropouts]
        masks = [
            (layer.bits <= layer.threshold)[k].numpy()
            if layer.is_on
            else np.ones((self.y_KB.shape[1], layer.width), bool)
            for layer in layers
        ]
        rates = [regularization.input_dropout, *regularization.dropout_rates(len(config.network.hidden))]
        return reference.Setting(
            activation=config.network.activation,
            loss=config.loss.name,
            l1=regularization.l1,
            l2=regularization.l2,
            group_lasso=regularization.group_lasso,
            masks=masks,
            keep=[1 - rate for rate in rates],
        )


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("case", CASES)
def test_objective_and_gradients_equal_the_reference(digits64: Splits, case: str, activation: str, loss: str) -> None:
    knobs = {**CASES[case], "network__activation": activation, "loss__name": loss}
    step = OneStep([small(**knobs, seed=1), small(**knobs, seed=2)], digits64)
    rows = step.stack.rows
    logits_KBC = step.stack.network(step.x_KBI)
    loss_K = step.stack.data_loss.mean_K(logits_KBC, step.y_KB)
    j_K = loss_K + step.stack.penalties_K()
    rows.differentiate(loss_K)
    step.stack.add_to_gradients_()
    for k in range(2):
        j, grads = step.gradients_by_hand(k)
        assert j_K[k].item() == pytest.approx(j, rel=1e-6)
        ours = rows.unpack(rows.grads_KP[k])
        for i, (d_w, d_b) in enumerate(grads):
            np.testing.assert_allclose(ours[f"linears.{i}.weight"].numpy().T, d_w, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(ours[f"linears.{i}.bias"].numpy(), d_b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_reference_gradients_equal_finite_differences(digits64: Splits, case: str) -> None:
    """Two-sided, relative difference below 1e-7 in the norm, tanh (no kink)."""
    step = OneStep([small(**CASES[case], network__activation="tanh")], digits64, batch=12)
    setting, x, y = step.setting(0), step.x_KBI[0].numpy(), step.y_KB[0].numpy()
    layers = step.layers(0)
    _, grads = step.gradients_by_hand(0)
    rng = np.random.default_rng(0)
    eps = 1e-5
    numeric, exact = [], []
    for (w, b), (d_w, d_b) in zip(layers, grads, strict=True):
        for values, gradient in ((w, d_w), (b, d_b)):
            for at in rng.choice(values.size, size=min(25, values.size), replace=False):
                before = values.flat[at]
                values.flat[at] = before + eps
                above = reference.objective(layers, x, y, setting)
                values.flat[at] = before - eps
                below = reference.objective(layers, x, y, setting)
                values.flat[at] = before
                numeric.append((above - below) / (2 * eps))
                exact.append(gradient.flat[at])
    difference = np.linalg.norm(np.subtract(numeric, exact)) / (np.linalg.norm(numeric) + np.linalg.norm(exact))
    assert difference < 1e-7


@pytest.mark.parametrize("form", ["proximal", "subgradient"])
def test_biases_are_never_penalized(digits64: Splits, form: str) -> None:
    step = OneStep([small(regularization__l2=5.0, regularization__l1=5.0, regularization__l1_form=form)], digits64)
    rows = step.stack.rows
    rows.grads_KP.zero_()
    step.stack.add_to_gradients_()
    grads = rows.unpack(rows.grads_KP[0])
    assert all((grads[name] != 0).any() == name.endswith("weight") for name in grads)
    assert rows.weights_KW.shape[1] == 64 * 24 + 24 * 16 + 16 * 10


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_inverted_dropout_keeps_the_expectation(digits64: Splits, rate: float) -> None:
    config = small(regularization__input_dropout=rate)
    stack = Stack([config], digits64)
    layer = stack.network.input_dropout
    ones = torch.ones(1, 100, 64, dtype=torch.float64)
    means, shares = [], []
    for at in range(40):
        effect_of(stack, Dropout).fill_masks([config.seed], [at], 100)
        y = layer(ones)
        means.append(y.mean())
        shares.append((y == 0).double().mean())
    n = 40 * 100 * 64
    assert torch.stack(shares).mean().item() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / n) ** 0.5)
    assert torch.stack(means).mean().item() == pytest.approx(1, abs=4 * (rate / (1 - rate) / n) ** 0.5)
