"""The multilayer perceptron; without hidden layers it is the linear softmax classifier.

B batch, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.networks.layers.initialization import drawn
from ridgeline.networks.layers.noisy import ActivationDropout


class Perceptron(nn.Module):
    """(Linear, activation and dropout) a hidden layer, then the output Linear.

    With `output=sigmoid` the last Linear has one logit z, and the outputs are (0, z): their softmax is
    (1 - sigmoid(z), sigmoid(z)), so that their cross-entropy is the binary one of z.
    """

    any_leading_axes = True
    """`forward` works along the last axis alone, however many come before it: so a stack need not fold K into B."""

    is_chain = True
    """The units of a layer are read by the next layer and by nothing else."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Literal["relu", "tanh", "sigmoid", "silu"],
        initialization: str,
        output: str,
    ) -> None:
        super().__init__()
        self.output = output
        # Of silu there is none in torch: its output has about the variance of that of relu.
        gain = nn.init.calculate_gain("relu" if activation == "silu" else activation)
        gains = [gain for _ in sizes[1:-1]] + [1.0]
        shapes = zip(gains, pairwise(sizes), strict=True)
        self.linears = nn.ModuleList(drawn(initialization, gain, nn.Linear, i, o) for gain, (i, o) in shapes)
        self.hidden = nn.ModuleList(ActivationDropout(activation) for _ in sizes[1:-1])

    def forward(self, x_BI: Tensor) -> Tensor:
        *linears, last = self.linears
        for linear, noisy in zip(linears, self.hidden, strict=True):
            x_BI = noisy(linear(x_BI))
        outputs_BO: Tensor = last(x_BI)
        return outputs_BO if self.output == "softmax" else F.pad(outputs_BO, (1, 0))
