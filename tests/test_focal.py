"""What the focal loss promises."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ridgeline.checking import ConfigError
from ridgeline.tasks.data_loss import DataLoss
from ridgeline.tasks.losses import Focal
from settings import small


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.5])
def test_loss_is_the_cross_entropy_times_the_doubt_to_the_power_of_gamma(gamma: float) -> None:
    outputs, labels = torch.randn(3, 20, 4).double(), torch.randint(4, (3, 20))
    entropy = F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(3, 20)
    ours_K = DataLoss(Focal(gamma=gamma)).mean_K(outputs, labels)
    torch.testing.assert_close(ours_K, ((1 - (-entropy).exp()) ** gamma * entropy).mean(1), rtol=1e-12, atol=0)


def test_example_that_is_certain_and_right_has_no_loss_and_no_slope() -> None:
    outputs = torch.tensor([[[100.0, 0.0], [0.0, 1.0]]], requires_grad=True)
    loss_K = DataLoss(Focal(gamma=1.0)).mean_K(outputs, torch.tensor([[0, 0]]))
    (slope,) = torch.autograd.grad(loss_K.sum(), outputs)
    assert slope[0, 0].abs().max() == 0
    assert slope.isfinite().all()


def test_gamma_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`loss.gamma >= 1` must hold, but got loss.gamma=0.5."):
        small(loss__name="focal", loss__gamma=0.5)
