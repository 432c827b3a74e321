"""A layer of hidden units: the activation, then dropout, as one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FUNCTIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "silu": F.silu}


class ActivationDropout(nn.Dropout):
    """dropout(activation(x)), with no rate until one is set. Of both at once a stack makes one mask."""

    def __init__(self, activation: str) -> None:
        super().__init__(0.0)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(FUNCTIONS[self.activation](x), self.p, self.training)
