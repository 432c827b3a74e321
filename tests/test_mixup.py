"""What mixup promises: mixed examples, and their losses mixed alike, by one number of Beta a step and fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ridgeline.data import Splits
from ridgeline.networks.stacking.noise import KeyedNoise
from ridgeline.regularizers import Batch
from ridgeline.regularizers.mixup import Mixup
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.tasks.data_loss import DataLoss, Mixing
from ridgeline.tasks.figures import wrong_KB
from ridgeline.tasks.losses import CrossEntropy
from ridgeline_recipes.by_hand import reference
from settings import bring_numbers, effect_of, small


def mixing(alpha: float, **others: Any) -> Any:
    return small(regularization__mixup=alpha, **others)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_loss_and_gradients_equal_the_reference(digits64: Splits, loss: str) -> None:
    """share * J(y) + (1 - share) * J(y') of the network by hand on the mixed examples."""
    configs = [mixing(alpha, seed=seed, loss__name=loss) for seed, alpha in enumerate((0.4, 0.0, 5.0))]
    stack = Stack(configs, digits64)
    loss_K, _, batch = stack.losses(torch.arange(30).expand(3, -1))
    stack.rows.differentiate(loss_K)
    mixed = batch.mixing
    assert mixed is not None
    x, y = digits64.train.x_NI[:30].numpy(), digits64.train.y_N[:30].numpy()
    before, setting = np.roll(np.arange(30), 1), reference.Setting(loss=loss)
    for k, share in enumerate(mixed.share_K.tolist()):
        assert share == 1 if k == 1 else 0 < share < 1
        layers = [(li.weight[k].detach().numpy(), li.bias[k].detach().numpy()) for li in stack.network.module.linears]
        x_mixed = share * x + (1 - share) * x[before]
        j, j_other = (reference.objective(layers, x_mixed, labels, setting) for labels in (y, y[before]))
        assert loss_K[k].item() == pytest.approx(share * j + (1 - share) * j_other, rel=1e-9)
        own, other = (reference.gradients(layers, x_mixed, labels, setting) for labels in (y, y[before]))
        ours = stack.rows.unpack(stack.rows.grads_KP[k])
        for i, ((d_w, d_b), (other_w, other_b)) in enumerate(zip(own, other, strict=True)):
            expected_w, expected_b = share * d_w + (1 - share) * other_w, share * d_b + (1 - share) * other_b
            np.testing.assert_allclose(ours[f"linears.{i}.weight"].numpy().T, expected_w, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(ours[f"linears.{i}.bias"].numpy(), expected_b, rtol=1e-6, atol=1e-9)


def test_cross_entropy_is_that_of_the_mixed_and_smoothed_targets() -> None:
    """As torch has it for probabilities."""
    logits, targets = torch.randn(2, 20, 10, dtype=torch.float64), torch.arange(40).view(2, 20) % 7
    share_K, smoothing_K = torch.tensor([[0.3, 0.8], [0.0, 0.2]], dtype=torch.float64)
    mixed = Mixing(targets.roll(1, dims=1), share_K)
    ours_K = DataLoss(CrossEntropy()).mean_K(logits, targets, smoothing_K, mixed)
    for k, (share, smoothing) in enumerate(((0.3, 0.0), (0.8, 0.2))):
        own, other = (F.one_hot(labels, 10).double() for labels in (targets[k], targets[k].roll(1)))
        theirs = F.cross_entropy(logits[k], share * own + (1 - share) * other, label_smoothing=smoothing)
        assert ours_K[k].item() == pytest.approx(theirs.item(), rel=1e-12)


def test_error_counts_both_labels_by_their_shares() -> None:
    logits = F.one_hot(torch.tensor([[0, 1, 2, 3]]), 4).float()
    own, other = torch.tensor([[0, 1, 2, 0]]), torch.tensor([[0, 2, 3, 3]])
    own_K, other_K = (wrong_KB(logits, labels).mean(dim=1) for labels in (own, other))
    mixed_K = Mixing(other, torch.tensor([0.9])).of(own_K, other_K)
    assert mixed_K.item() == pytest.approx(0.9 * 0.25 + 0.1 * 0.5)


def test_loss_that_is_not_mixed_in_may_be_infinite() -> None:
    own_K = torch.ones(2, requires_grad=True)
    other_K = torch.full((2,), math.inf, requires_grad=True)
    mixed_K = Mixing(torch.zeros(2, 1), torch.tensor([1.0, 0.5])).of(own_K, other_K)
    mixed_K.sum().backward()
    assert mixed_K.tolist() == [1, math.inf]
    assert (own_K.grad.tolist(), other_K.grad.tolist()) == ([1, 0.5], [0, 0.5])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_have_their_distribution_and_are_keyed_by_seed_and_step(alpha: float) -> None:
    """Mean 1/2, variance 1 / (4 (2 alpha + 1)), within 4 standard deviations."""
    noise, n = KeyedNoise(torch.device("cpu")), 2000
    by_seed = np.array(noise.betas_K(list(range(n)), [5] * n, [alpha] * n))
    by_step = np.array(noise.betas_K([5] * n, list(range(n)), [alpha] * n))
    variance = 1 / (4 * (2 * alpha + 1))
    for shares in (by_seed, by_step):
        assert 0 <= shares.min() < shares.max() <= 1
        assert abs(shares.mean() - 0.5) < 4 * math.sqrt(variance / n)
        assert shares.var() == pytest.approx(variance, rel=0.15)
        assert abs(np.corrcoef(shares[1:], shares[:-1])[0, 1]) < 4 / math.sqrt(n)
    assert by_seed[5] == by_step[5] == noise.betas_K([5], [5], [alpha])[0]
    assert noise.betas_K([5, 5], [5, 5], [0.0, alpha]) == [1.0, by_seed[5]]


def test_smallest_alphas_keep_one_example_or_the_other() -> None:
    shares = KeyedNoise(torch.device("cpu")).betas_K([1] * 50, list(range(50)), [1e-9] * 50)
    assert set(shares) == {0.0, 1.0}


def test_examples_are_mixed_with_the_one_before_and_left_alone_where_off(digits: Splits) -> None:
    stack = Stack([mixing(0.0), mixing(1.0, seed=2)], digits)
    x_KBI = digits.train.x_NI[:40].repeat(2, 1, 1)
    targets_KB = digits.train.y_N[:40].expand(2, -1)
    batch, effect = Batch(x_KBI, targets_KB, [0, 2], [7, 7]), effect_of(stack, Mixup)
    for record in stack.records:
        record.step = 7
    bring_numbers(effect)
    effect.on_batch(batch)
    mixed = batch.mixing
    (share,) = stack.noise.betas_K([2], [7], [1.0])
    own_BI = digits.train.x_NI[:40]
    assert torch.equal(x_KBI[0], own_BI)
    torch.testing.assert_close(x_KBI[1], share * own_BI + (1 - share) * own_BI.roll(1, dims=0))
    assert torch.equal(mixed.targets_KB[:, 1:], targets_KB[:, :-1])
    assert torch.equal(mixed.targets_KB[:, 0], targets_KB[:, -1])
    assert mixed.share_K.tolist() == pytest.approx([1, share])


def test_nothing_is_mixed_in_validation(digits: Splits) -> None:
    """Halves of two examples each cannot be told apart as well as the examples themselves."""
    (result,) = fit([mixing(50.0, trainer__max_epochs=5, optimizer__lr=0.02)], digits)
    last = result.history[-1]
    assert last["train/loss"] > math.log(2)
    assert last["train/error"] > 0.4
    assert last["val/error"] < 0.1
    assert result.metrics["final/train_loss"] < last["train/loss"] / 2
    assert result.metrics["final/train_error"] < 0.05
