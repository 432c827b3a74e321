"""What the group lasso promises: the proximal step in any step sizes, whole units of 0, and a rest where J has one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ridgeline.data import Splits
from ridgeline.regularizers.group_lasso import add_group_lasso_gradient_, group_lasso_K, shrink_groups_
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from settings import small


def group(strength: float, **others: Any) -> Any:
    return small(regularization__group_lasso=strength, **others)


def drawn(decades: float) -> tuple[Tensor, Tensor]:
    """Weights (K, I, O) and step sizes that spread over so many decades, as Adam's do."""
    generator = torch.Generator().manual_seed(1)
    z_KIO = torch.randn(3, 40, 200, dtype=torch.float64, generator=generator)
    spread_KIO = torch.rand(3, 40, 200, dtype=torch.float64, generator=generator)
    return z_KIO, 0.1 * 10 ** (decades * (spread_KIO - 0.5))


@pytest.mark.parametrize("decades", [0.0, 1.0, 4.0, 12.0])
def test_proximal_step_is_where_its_objective_is_smallest(decades: float) -> None:
    """0 is in the subgradient of sum (w - z)^2 / (2 s) + t ||w||: at w = 0 and elsewhere, from no zeros to all."""
    z_KIO, s_KIO = drawn(decades)
    strengths_K = torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64) * (z_KIO / s_KIO).norm(dim=1).median() / 10
    w_KIO = z_KIO.clone()
    shrink_groups_(w_KIO, s_KIO, strengths_K)
    t_K1 = strengths_K.unsqueeze(1) * math.sqrt(40)
    is_0_KO = (w_KIO == 0).all(dim=1)
    assert torch.equal(is_0_KO, (w_KIO == 0).any(dim=1))
    assert 0.05 < is_0_KO.double().mean() < 0.95
    pull_KIO = (z_KIO - w_KIO) / s_KIO
    assert (pull_KIO.norm(dim=1) <= t_K1)[is_0_KO].all()
    expected_KIO = t_K1.unsqueeze(2) * w_KIO / w_KIO.norm(dim=1, keepdim=True)
    difference_KO = (pull_KIO - expected_KIO).norm(dim=1) / t_K1
    assert difference_KO[~is_0_KO].max() < 1e-5


def test_proximal_step_in_sizes_that_are_alike_is_the_known_formula() -> None:
    z_KIO, s_KIO = drawn(0.0)
    strengths_K = torch.tensor([0.0, 0.5, 9.0], dtype=torch.float64)
    w_KIO = z_KIO.clone()
    shrink_groups_(w_KIO, s_KIO, strengths_K)
    shares_KO = 1 - 0.1 * strengths_K.unsqueeze(1) * math.sqrt(40) / z_KIO.norm(dim=1)
    torch.testing.assert_close(w_KIO, z_KIO * shares_KO.clamp_min(0).unsqueeze(1), rtol=1e-12, atol=1e-15)
    assert torch.equal(w_KIO[0], z_KIO[0])


def test_proximal_step_keeps_what_is_no_number_and_units_of_0() -> None:
    """A fit that diverges must be seen to; beside one whose strength is 0."""
    w_KIO = torch.ones(3, 4, 5)
    w_KIO[:, 0, 0], w_KIO[:, 0, 1], w_KIO[:, :, 2] = math.nan, math.inf, 0.0
    before_KIO = w_KIO.clone()
    shrink_groups_(w_KIO, torch.full((3, 4, 5), 0.1), torch.tensor([0.0, 0.5, 100.0]))
    torch.testing.assert_close(w_KIO[0], before_KIO[0], equal_nan=True, rtol=0, atol=0)
    assert not w_KIO[1:, 0, :2].isfinite().any()
    assert (w_KIO[:, :, 2] == 0).all()
    assert (w_KIO[2, :, 3:] == 0).all()


def test_proximal_step_of_no_size_changes_nothing() -> None:
    """As where a schedule of the learning rate ends at 0, whatever is 0 already."""
    w_KIO = torch.randn(2, 4, 5)
    w_KIO[:, :, 2] = w_KIO[:, 1] = 0.0
    before_KIO = w_KIO.clone()
    shrink_groups_(w_KIO, torch.zeros(2, 4, 5), torch.tensor([0.0, 5.0]))
    assert torch.equal(w_KIO, before_KIO)


def test_group_lasso_is_the_formula(digits64: Splits) -> None:
    stack = Stack([group(0.3, regularization__l2=0.1), group(0.0), group(2.0)], digits64)
    hidden = [linear.weight.detach().numpy() for linear in stack.network.module.linears[:-1]]
    by_hand = sum(np.sqrt(w.shape[1]) * np.sqrt((w**2).sum(axis=1)).sum(axis=1) for w in hidden)
    strengths_K = torch.tensor([0.3, 0.0, 2.0], dtype=torch.float64)
    ours_K = group_lasso_K([linear.weight for linear in stack.network.module.linears[:-1]], strengths_K)
    assert ours_K.tolist() == pytest.approx((by_hand * strengths_K.numpy()).tolist(), rel=1e-12)
    squares = stack.rows.weights_KW[0].square().sum().item()
    values = stack.penalties_K().tolist()
    assert values == pytest.approx([0.3 * by_hand[0] + 0.05 * squares, 0.0, 2 * by_hand[2]], rel=1e-12)


def test_gradient_is_that_of_the_formula_and_nothing_at_a_unit_of_0() -> None:
    weight_KIO = drawn(0.0)[0].requires_grad_()
    strengths_K = torch.tensor([0.0, 0.5, 9.0], dtype=torch.float64)
    (expected_KIO,) = torch.autograd.grad(group_lasso_K([weight_KIO], strengths_K).sum(), weight_KIO)
    weight_KIO, grad_KIO = weight_KIO.detach(), torch.ones(3, 40, 200, dtype=torch.float64)
    weight_KIO[:, :, 5] = expected_KIO[:, :, 5] = 0.0
    add_group_lasso_gradient_(grad_KIO, weight_KIO, strengths_K)
    torch.testing.assert_close(grad_KIO, 1 + expected_KIO)


@pytest.mark.parametrize("penalize", ["all", "hidden"])
def test_whole_units_become_0_more_of_them_with_more_of_it_and_never_an_output(digits: Splits, penalize: str) -> None:
    longer = {"trainer__max_epochs": 12, "optimizer__lr": 1e-2, "trainer__restore_best": False}
    strengths = (0.0, 4e-3, 8e-3, 1.0)
    results = fit([group(s, regularization__penalize=penalize, **longer) for s in strengths], digits)
    shares = [result.metrics["final/zero_units"] for result in results]
    assert shares[0] == 0 < shares[1] < shares[2] < shares[3] == 1
    varies = digits.train.x_NI.std(dim=0) > 0  # the data say nothing of the other features' weights: they go too
    for result in results:
        first, second, output = (result.weights[f"linears.{i}.weight"].t() for i in range(3))
        for weight_IO in (first[varies], second):
            assert (weight_IO[:, (weight_IO != 0).any(dim=0)] != 0).all()
        assert (output != 0).all()


@pytest.mark.parametrize(
    "optimizer",
    [
        {"optimizer__name": "sgd", "optimizer__lr": 0.1, "optimizer__momentum": 0.9},
        {"optimizer__name": "adam", "optimizer__lr": 0.05},
    ],
)
def test_training_rests_where_the_objective_does(digits64: Splits, optimizer: dict[str, Any]) -> None:
    """Without the group lasso the gradient is -t w / ||w|| at a unit that is not 0, and within t at one that is,
    whatever the optimizer."""
    strength, n_steps = 0.03, 200
    config = group(strength, **optimizer, network__hidden=[12], network__activation="tanh")
    stack = Stack([config], digits64)
    stack.optimizers = lambda: stack.optimizer.torch_optimizer  # type: ignore[method-assign, assignment]
    positions_KB = torch.arange(60).unsqueeze(0)
    for step in range(n_steps):
        stack.set_epoch([(1 + math.cos(math.pi * step / n_steps)) / 2], [config])
        stack.training_step(positions_KB, 0)
    stack.rows.differentiate(stack.losses(positions_KB)[0])
    weight_IO, grad_IO = stack.network.weights[0].value_KIO[0], stack.network.weights[0].grad_KIO[0]
    is_0_O, t = (weight_IO == 0).all(dim=0), strength * math.sqrt(64)
    assert 0 < is_0_O.sum() < 12
    assert (grad_IO[:, is_0_O].norm(dim=0) <= 1.02 * t).all()
    expected_IO = -t * weight_IO / weight_IO.norm(dim=0)
    assert ((grad_IO - expected_IO)[:, ~is_0_O].norm(dim=0) < 0.02 * t).all()
