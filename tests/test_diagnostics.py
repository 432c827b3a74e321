"""What the diagnostics promise: figures equal to those by hand, a curve for each fit, and nothing changed or paid."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ridgeline.data import Splits
from ridgeline.stack.diagnostics import NEAR, measure, unit_shares
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from settings import small
from test_promise_alone_equals_stacked import assert_same_bits

DIAGNOSED: dict[str, Any] = {"callbacks__diagnostics__examples": 256}
ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


def by_hand(weights: dict[str, Tensor], splits: Splits, activation: str, n: int) -> dict[str, float]:
    """From the definitions, unit by unit, through autograd."""
    figures, a = {}, splits.validation.x_NI[:n]
    ws = [weights[f"linears.{i}.weight"].t().clone().requires_grad_() for i in range(3)]
    for i, w in enumerate(ws):
        z = a @ w + weights[f"linears.{i}.bias"]
        if i == 2:
            break
        a = ACTIVATIONS[activation](z)
        units = a.detach().unbind(dim=1)
        if activation == "relu":
            figures[f"diagnostics/dead_units/linears.{i}"] = sum(bool((u == 0).all()) for u in units) / len(units)
            figures[f"diagnostics/zero_activations/linears.{i}"] = sum(int((u == 0).sum()) for u in units) / a.numel()
        else:
            limit = 0.98 if activation == "tanh" else 0.49
            centred = [u if activation == "tanh" else u - 0.5 for u in units]
            figures[f"diagnostics/saturated/linears.{i}"] = (
                sum(int((u.abs() > limit).sum()) for u in centred) / a.numel()
            )
    F.cross_entropy(z, splits.validation.y_N[:n]).backward()
    return figures | {f"diagnostics/gradient_norm/linears.{i}": w.grad.norm().item() for i, w in enumerate(ws)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_figures_are_those_by_hand(digits: Splits, activation: str) -> None:
    """With dropout, which is off here, and weights large enough that units are dead or saturated."""
    config = small(network__activation=activation, regularization__dropout=0.5, callbacks__diagnostics__examples=50)
    stack = Stack([config], digits)
    stack.rows.values_KP.mul_(3)
    stack.network.module.linears[0].bias.data[:, :4] = -60
    stack.network.eval()
    measured = {name: value_K[0].item() for name, value_K in measure(stack, 50).items()}
    expected = by_hand(stack.rows.unpack(stack.rows.values_KP[0]), digits, activation, 50)
    assert measured == pytest.approx(expected, rel=1e-4)
    assert all(value > 0 for name, value in measured.items() if name.endswith("linears.0"))


def test_each_epoch_has_a_row_with_them_and_training_is_unchanged(digits: Splits) -> None:
    watched, baseline = (fit([small(seed=1, regularization__dropout=0.3, **c)], digits)[0] for c in (DIAGNOSED, {}))
    names = {f"diagnostics/{kind}/linears.{i}" for kind in ("dead_units", "zero_activations") for i in (0, 1)}
    names |= {f"diagnostics/gradient_norm/linears.{i}" for i in (0, 1, 2)}
    assert all(set(row) - set(old) == names for row, old in zip(watched.history, baseline.history, strict=True))
    assert [{k: v for k, v in row.items() if k not in names} for row in watched.history] == baseline.history
    assert all(torch.equal(watched.weights[name], w) for name, w in baseline.weights.items())
    (last,) = fit([small(seed=1, regularization__dropout=0.3, trainer__restore_best=False)], digits)
    expected = by_hand(last.weights, digits, "relu", 256)
    assert {name: watched.history[-1][name] for name in names} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_figures_are_bitwise_the_same_alone_and_stacked(digits: Splits, activation: str) -> None:
    knobs = {**DIAGNOSED, "network__activation": activation}
    configs = [small(**knobs, seed=seed, regularization__dropout=0.1 * seed) for seed in range(3)]
    for config, result in zip(configs, fit(configs, digits), strict=True):
        assert_same_bits(fit([config], digits)[0], result)


def test_rows_of_a_fit_that_has_ended_stay_as_they_were(digits: Splits) -> None:
    """While its neighbour trains on, and its weights move on in their slot."""
    knobs = {**DIAGNOSED, "trainer__max_epochs": 8, "callbacks__early_stopping__monitor": "val/loss"}
    eager = small(**knobs, callbacks__early_stopping__patience=1, optimizer__lr=0.3, seed=1)
    patient = small(**knobs, callbacks__early_stopping__patience=50, seed=2)
    stopped, trained = fit([eager, patient], digits)
    assert stopped.epochs < trained.epochs
    assert_same_bits(stopped, fit([eager], digits)[0])


def test_saturation_is_within_a_hundredth_of_the_range_from_a_limit() -> None:
    """Where tanh and sigmoid, which are one function on two scales, both have 4% of their steepest slope."""
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64).view(1, 1, -1)
    by_sigmoid, by_tanh = unit_shares(z.sigmoid(), "sigmoid"), unit_shares((z / 2).tanh(), "tanh")
    at = math.log((1 - NEAR) / NEAR)
    assert by_sigmoid["saturated"].item() == pytest.approx((z.abs() > at).double().mean().item(), abs=1e-3)
    assert by_tanh["saturated"].item() == pytest.approx(by_sigmoid["saturated"].item(), abs=1e-3)
    steepest, slope = 1 / 4, NEAR * (1 - NEAR)  # of the sigmoid
    assert slope / steepest == pytest.approx(0.04, abs=1e-3)


def test_linear_classifier_has_gradients_alone(digits: Splits) -> None:
    (result,) = fit([small(network__name="softmax", **DIAGNOSED)], digits)
    assert {name for name in result.history[0] if name.startswith("diag")} == {"diagnostics/gradient_norm/linears.0"}
