"""Layers of K fits by themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from ridgeline.networks.stacking.twins import LinearTwin


def linear_of(weight_KIO: Tensor) -> LinearTwin:
    """A layer of K fits with these weights and no bias to speak of."""
    linear = LinearTwin(torch.nn.Linear(1, 1), len(weight_KIO))
    linear.register_parameter("weight", torch.nn.Parameter(weight_KIO.clone()))
    linear.register_parameter("bias", torch.nn.Parameter(torch.zeros(len(weight_KIO), weight_KIO.shape[2])))
    return linear
