"""The multilayer perceptron of K fits; without hidden layers it is the linear softmax classifier."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from ridgeline.config import NetworkConfig
from ridgeline.networks.layers import Dropout, Linear

_ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class MLP(nn.Module):
    """(Dropout, Linear, activation) a hidden layer, then Dropout and the output Linear: logits (K, B, C)."""

    def __init__(
        self,
        config: NetworkConfig,
        k: int,
        n_features: int,
        n_classes: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.config = config
        sizes = [n_features, *config.hidden, n_classes]
        self.linears = nn.ModuleList(Linear(k, i, o, dtype=dtype, device=device) for i, o in pairwise(sizes))
        self.dropouts = nn.ModuleList(Dropout(k, width, dtype=dtype, device=device) for width in sizes[:-1])
        self.activation = _ACTIVATIONS[config.activation]

    @property
    def noisy_layers(self) -> list[Dropout]:
        """In the order in which they get their random bits: hidden layers first, the input last."""
        first, *hidden = (layer for layer in self.dropouts if isinstance(layer, Dropout))
        return [*hidden, first]

    def forward(self, x_KBI: Tensor) -> Tensor:
        for dropout, linear in zip(self.dropouts, self.linears, strict=True):
            if dropout is not self.dropouts[0]:
                x_KBI = self.activation(x_KBI)
            x_KBI = linear(dropout(x_KBI))
        return x_KBI

    @torch.no_grad()
    def initialize(self, k: int, generator: torch.Generator) -> None:
        """Draw the weights of fit `k` in float32 on the CPU, layer after layer; biases start at 0.

        kaiming (He et al. 2015): variance gain^2 / fan_in, gain 1 before the softmax; xavier (Glorot, Bengio 2010):
        2 / (fan_in + fan_out).
        """
        scheme, distribution = self.config.initialization.split("_")
        for linear in self.linears:
            assert isinstance(linear, Linear)
            gain = 1.0 if linear is self.linears[-1] else nn.init.calculate_gain(self.config.activation)
            _, fan_in, fan_out = linear.weight.shape
            std = gain / math.sqrt(fan_in) if scheme == "kaiming" else math.sqrt(2 / (fan_in + fan_out))
            drawn_IO = torch.empty(fan_in, fan_out)
            if distribution == "normal":
                drawn_IO.normal_(0, std, generator=generator)
            else:
                drawn_IO.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std, generator=generator)
            linear.weight[k].copy_(drawn_IO)
            linear.bias[k].zero_()
