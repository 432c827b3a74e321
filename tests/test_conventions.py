"""Each row of the table of conventions: a number that people arrive with, and the one that means the same here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ridgeline.data import Splits
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from settings import small

X = 0.02
"""Their number."""

FULL_BATCH = {"trainer__batch_size": None, "trainer__max_epochs": 1, "trainer__restore_best": False}


def documents(weights: list[Tensor], m: int) -> Tensor:
    """(1 / m) * (lambda / 2) * sum_l ||W[l]||_F^2."""
    return (1 / m) * (X / 2) * sum(w.square().sum() for w in weights)


def keras_l2(weights: list[Tensor], m: int) -> Tensor:
    """keras.regularizers.L2: self.l2 * ops.sum(ops.square(x)) of each layer's kernel."""
    return sum(X * w.square().sum() for w in weights)


def keras_l1(weights: list[Tensor], m: int) -> Tensor:
    """keras.regularizers.L1: self.l1 * ops.sum(ops.absolute(x)) of each layer's kernel."""
    return sum(X * w.abs().sum() for w in weights)


ROWS: dict[str, tuple[Callable[[list[Tensor], int], Tensor], Callable[[int], dict[str, Any]]]] = {
    "documents: lambd -> l2 = lambd / m": (documents, lambda m: {"regularization__l2": X / m}),
    "Keras: l2(x) -> l2 = 2x": (keras_l2, lambda m: {"regularization__l2": 2 * X}),
    "Keras: l1(x) -> l1 = x": (keras_l1, lambda m: {"regularization__l1": X}),
}


@pytest.mark.parametrize("row", ROWS)
def test_penalty_and_its_gradient_are_theirs(digits64: Splits, row: str) -> None:
    theirs, ours = ROWS[row]
    m = len(digits64.train.y_N)
    stack = Stack([small(**ours(m), regularization__l1_form="subgradient")], digits64)
    weights = [linear.weight for linear in stack.network.module.linears]
    penalty = theirs(weights, m)
    assert stack.penalties_K().item() == pytest.approx(penalty.item(), rel=1e-12)
    stack.rows.grads_KP.zero_()
    stack.add_to_gradients_()
    gradients = torch.autograd.grad(penalty, weights)
    for name, gradient in zip(("linears.0", "linears.1", "linears.2"), gradients, strict=True):
        torch.testing.assert_close(stack.rows.unpack(stack.rows.grads_KP[0])[f"{name}.weight"].t(), gradient[0])


def trained_by_torch(
    stack: Stack, splits: Splits, optimizer: Callable[[list[dict[str, Any]]], torch.optim.Optimizer], epochs: int
) -> Iterator[Tensor]:
    """The weights, then the biases, after full-batch steps on the data loss alone."""
    layers = [(li.weight[0].clone(), li.bias[0].clone()) for li in stack.network.module.linears]
    ws, bs = ([part.detach().requires_grad_() for part in parts] for parts in zip(*layers, strict=True))
    steps = optimizer([{"params": ws, "weight_decay": X}, {"params": bs, "weight_decay": 0.0}])
    for _ in range(epochs):
        a = splits.train.x_NI
        for i, (w, b) in enumerate(zip(ws, bs, strict=True)):
            a = (torch.relu(a) if i else a) @ w + b
        steps.zero_grad()
        F.cross_entropy(a, splits.train.y_N).backward()
        steps.step()
    yield from ws


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_weight_decay_of_torchs_sgd_is_l2(digits64: Splits, momentum: float) -> None:
    knobs = {"optimizer__name": "sgd", "optimizer__lr": 0.1, "optimizer__momentum": momentum}
    config = small(**{**FULL_BATCH, **knobs, "trainer__max_epochs": 5}, regularization__l2=X)
    theirs = trained_by_torch(
        Stack([config], digits64), digits64, lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=momentum), epochs=5
    )
    ours = fit([config], digits64)[0].weights
    for i, w in enumerate(theirs):
        torch.testing.assert_close(ours[f"linears.{i}.weight"].t(), w.detach(), rtol=0, atol=1e-10)


def test_decoupled_weight_decay_of_adamw_is_a_setting_of_the_optimizer_and_no_penalty(digits64: Splits) -> None:
    """torch decays the biases too where it is not told otherwise, and so does `optimizer.weight_decay`."""
    knobs = {"optimizer__name": "adamw", "optimizer__lr": 0.01, "optimizer__weight_decay": X}
    config = small(**{**FULL_BATCH, **knobs, "trainer__max_epochs": 5})

    def adamw(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.AdamW([parameter for group in groups for parameter in group["params"]], 0.01, weight_decay=X)

    (result,) = fit([config], digits64)
    for i, w in enumerate(trained_by_torch(Stack([config], digits64), digits64, adamw, epochs=5)):
        torch.testing.assert_close(result.weights[f"linears.{i}.weight"].t(), w.detach(), rtol=0, atol=1e-10)
    assert all(row["train/objective"] == row["train/loss"] for row in result.history)
    (penalized,) = fit(
        [small(**{**FULL_BATCH, "optimizer__lr": 0.01, "trainer__max_epochs": 5}, regularization__l2=X)], digits64
    )
    assert not torch.allclose(penalized.weights["linears.0.weight"], result.weights["linears.0.weight"], atol=1e-3)
