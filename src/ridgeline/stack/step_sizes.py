"""By how much an optimizer's step moves a value for a lasting gradient of 1: proximal steps are taken in these sizes.

So a step of another kind is weighed against the gradient as it stands in the objective.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def of_sgd(lr: float, momentum: float) -> float:
    """Momentum adds up to 1 / (1 - momentum) gradients."""
    return lr / (1 - momentum)


def of_adam_(exp_avg_sq: Tensor, lr: Tensor, correction: Tensor, eps: float) -> Tensor:
    """lr / (root of the corrected second moment + eps), written over the second moment.

    `lr` and `correction`, which is `adam_correction`'s, are scalars or a column with one for each row.
    """
    import torch

    sizes = exp_avg_sq.sqrt_().mul_(correction).add_(eps)
    return torch.div(lr, sizes, out=sizes)


def adam_correction(beta: float, steps: float) -> float:
    """What corrects the root of a second moment, which began at 0, after so many steps."""
    return 1 / math.sqrt(1 - beta**steps)
