"""Initial weights. I incoming weights, O units."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


@torch.no_grad()
def drawn(
    initialization: str, gain: float, kind: type[nn.Linear | nn.Conv2d], *shape: int, **options: Any
) -> nn.Module:
    """A layer whose weights are drawn in float32 from the global generator; biases start at 0.

    kaiming (He et al. 2015): variance gain^2 / fan_in; xavier (Glorot, Bengio 2010): 2 / (fan_in + fan_out).
    """
    layer = nn.utils.skip_init(kind, *shape, **options)  # whose own draws would be in vain
    scheme, distribution = initialization.split("_")
    n_units, receptive = len(layer.weight), layer.weight[0, 0].numel()
    fan_in, fan_out = layer.weight.shape[1] * receptive, n_units * receptive
    std = gain / math.sqrt(fan_in) if scheme == "kaiming" else math.sqrt(2 / (fan_in + fan_out))
    drawn_IO = torch.empty(fan_in, n_units, dtype=torch.float32)
    if distribution == "normal":
        drawn_IO.normal_(0, std)
    else:
        drawn_IO.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)
    layer.weight.copy_(drawn_IO.t().reshape(layer.weight.shape))
    layer.bias.zero_()
    return layer
