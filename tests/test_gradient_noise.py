"""What `regularization.gradient_noise` promises; that it is bitwise the same alone and stacked is in test_knobs."""

from __future__ import annotations

import pytest
import torch

from ridgeline.data import Splits
from ridgeline.regularizers.gradient_noise import GradientNoise
from ridgeline.stack.module import Stack
from settings import bring_numbers, effect_of, small


def noise_KP(stack: Stack) -> torch.Tensor:
    stack.rows.grads_KP.zero_()
    bring_numbers(effect_of(stack, GradientNoise))
    stack.add_to_gradients_()
    return stack.rows.grads_KP.double()


def test_noise_has_its_deviation_and_fades_with_the_fits_own_steps(digits: Splits) -> None:
    stack = Stack(
        [small(seed=seed, regularization__gradient_noise=std) for seed, std in ((1, 0.5), (2, 0.0), (3, 2.0))], digits
    )
    first_KP = noise_KP(stack).clone()
    assert first_KP.std(dim=1).tolist() == pytest.approx([0.5, 0.0, 2.0], rel=0.05)
    assert first_KP.mean(dim=1).abs().max() < 4 * 2 / first_KP.shape[1] ** 0.5
    stack.records[0].step = 99
    later_KP = noise_KP(stack)
    assert later_KP.std(dim=1).tolist() == pytest.approx([0.5 * 100**-0.275, 0.0, 2.0], rel=0.05)
    assert torch.equal(later_KP[2], first_KP[2])
    assert abs(torch.corrcoef(torch.stack([later_KP[0], first_KP[0]]))[0, 1]) < 0.1


def test_noise_is_not_clipped(digits: Splits) -> None:
    stack = Stack([small(regularization__gradient_noise=0.5, optimizer__gradient_clip_val=1e-3)], digits)
    assert noise_KP(stack).norm() > 1
