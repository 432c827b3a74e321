"""What DropConnect promises: single weights dropped at their rate, a mask a step and fit, and none in validation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ridgeline.data import Splits
from ridgeline.regularizers.dropconnect import DropConnect
from ridgeline.regularizers.dropout import Dropout
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline_recipes.by_hand import reference
from settings import effect_of, small
from twins import linear_of


def connect(rate: float, **others: Any) -> Any:
    return small(regularization__dropconnect=rate, **others)


def factors(stack: Stack, step: int = 0) -> list[Tensor]:
    """Of each Linear but the first, (K, I, O)."""
    effect_of(stack, DropConnect).fill_masks([config.seed for config in stack.configs], [step] * len(stack.configs))
    pairs = zip(stack.network.weight_droppers, stack.network.weights[1:], strict=True)
    kept = [(layer.kept_KBW(weight.value_KIO.dtype) * layer.scale, weight.value_KIO.shape) for layer, weight in pairs]
    return [factors_K1N.view(shape) for factors_K1N, shape in kept]


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_loss_and_gradients_equal_the_reference(digits64: Splits, loss: str) -> None:
    """Of the network by hand whose weights are W * factors: dJ/dW is its gradient times the factors."""
    configs = [connect(rate, seed=seed, loss__name=loss) for seed, rate in enumerate((0.5, 0.0, 0.2))]
    stack = Stack(configs, digits64)
    dropped = factors(stack)
    loss_K, *_ = stack.losses(torch.arange(30).expand(3, -1))
    stack.rows.differentiate(loss_K)
    x, y = digits64.train.x_NI[:30].numpy(), digits64.train.y_N[:30].numpy()
    for k in range(3):
        factors_L = [np.ones((64, 24)), *(each[k].numpy() for each in dropped)]
        assert all(set(np.unique(each)) <= {0.0, 1 / (1 - (0.5, 0.0, 0.2)[k])} for each in factors_L[1:])
        linears = zip(stack.network.module.linears, factors_L, strict=True)
        layers = [(li.weight[k].detach().numpy() * factor, li.bias[k].detach().numpy()) for li, factor in linears]
        assert loss_K[k].item() == pytest.approx(reference.objective(layers, x, y, reference.Setting(loss=loss)))
        ours = stack.rows.unpack(stack.rows.grads_KP[k])
        for i, (d_w, d_b) in enumerate(reference.gradients(layers, x, y, reference.Setting(loss=loss))):
            expected_w = d_w * factors_L[i]
            np.testing.assert_allclose(ours[f"linears.{i}.weight"].numpy().T, expected_w, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(ours[f"linears.{i}.bias"].numpy(), d_b, rtol=1e-6, atol=1e-9)


def test_share_is_the_rate_and_the_expectation_stays(digits: Splits) -> None:
    rates = (0.1, 0.5, 0.9)
    stack = Stack([connect(rate, seed=seed) for seed, rate in enumerate(rates)], digits)
    drawn = [torch.cat([each.flatten(1) for each in factors(stack, step)], dim=1) for step in range(40)]
    factors_KN = torch.cat(drawn, dim=1).double()
    n = factors_KN.shape[1]
    for factors_N, rate in zip(factors_KN, rates, strict=True):
        assert abs((factors_N == 0).double().mean() - rate) < 4 * math.sqrt(rate * (1 - rate) / n)
        assert abs(factors_N.mean() - 1) < 4 * math.sqrt(rate / (1 - rate) / n)


def test_masks_are_the_fits_own_by_seed_and_step_and_no_units_bits(digits: Splits) -> None:
    one = connect(0.5, seed=2, regularization__dropout=0.5)
    alone, beside = Stack([one], digits), Stack([connect(0.2, seed=1), connect(0.0, seed=2), one], digits)
    for ours, theirs in zip(factors(alone), factors(beside), strict=True):
        assert torch.equal(ours[0], theirs[2])
        assert (theirs[1] == 1).all()
    (first, _), (second, _) = factors(alone), factors(alone, step=1)
    assert (first == second).double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(first.numel()))
    effect_of(alone, Dropout).fill_masks([2], [1], batch=24)  # of the step whose weights' bits came last
    units, weights = (layer.bits.flatten() for layer in (alone.network.dropouts[1], alone.network.weight_droppers[0]))
    assert not torch.equal(units[:100], weights[:100])


def test_nothing_is_dropped_in_validation(digits: Splits) -> None:
    (result,) = fit([connect(0.4, trainer__max_epochs=10, optimizer__lr=0.01)], digits)
    assert result.metrics["final/train_loss"] < result.history[-1]["train/loss"] / 2
    stack = Stack([connect(0.7)], digits)
    x_KBI, baseline = digits.validation.x_NI[:20].unsqueeze(0), Stack([small()], digits).network.eval()
    factors(stack)
    assert not torch.equal(stack.network(x_KBI), baseline(x_KBI))
    assert torch.equal(stack.network.eval()(x_KBI), baseline(x_KBI))


def test_schedule_of_dropout_reaches_it(digits: Splits) -> None:
    stack = Stack([connect(0.4), connect(0.2)], digits)
    stack.set_epoch([1.0, 1.0], [connect(0.2), connect(0.0)])
    assert [layer.rates for layer in stack.network.weight_droppers] == [[0.2, 0.0], [0.2, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradient_is_the_same_written_and_returned(dtype: torch.dtype) -> None:
    """Into `grad` where there is one; in the type of x, as bf16-mixed has it."""
    linear = linear_of(torch.randn(2, 6, 5))
    x_KBI, factors_KIO = torch.randn(2, 4, 6).to(dtype), torch.randint(0, 2, (2, 6, 5)) * 2.0
    linear.factors = factors_KIO
    linear(x_KBI).sum().backward()
    returned = linear.weight.grad.clone()
    linear.weight.grad.fill_(7.0)
    linear.written.is_so = False
    linear(x_KBI).sum().backward()
    torch.testing.assert_close(linear.weight.grad, returned)
    assert (returned[factors_KIO == 0] == 0).all()
    by_hand = (x_KBI.float() @ (linear.weight * factors_KIO) + linear.bias[:, None]).sum()
    (expected,) = torch.autograd.grad(by_hand, linear.weight)
    torch.testing.assert_close(returned, expected, rtol=0.02 if dtype == torch.bfloat16 else 1e-5, atol=0.02)
