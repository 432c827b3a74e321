"""The multilayer perceptron of K fits; without hidden layers it is the linear softmax classifier."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.checking import require
from ridgeline.config import NetworkConfig
from ridgeline.networks.activations import ACTIVATIONS
from ridgeline.networks.layers import Dropout, Linear


def layer_sizes(config: NetworkConfig, n_features: int, n_classes: int) -> list[int]:
    """The widths from the features to the outputs. Raises ConfigError for one output where there are more classes."""
    if config.output == "softmax":
        return [n_features, *config.hidden, n_classes]
    require(n_classes == 2, f"network.output is softmax with {n_classes} classes", "network.output", config.output)
    return [n_features, *config.hidden, 1]


def class_count(config: NetworkConfig, n_outputs: int) -> int:
    """Of a network that has so many outputs."""
    return n_outputs if config.output == "softmax" else 2


class MLP(nn.Module):
    """(Dropout, Linear, activation) a hidden layer, then Dropout and the output Linear: logits (K, B, C).

    `dropconnects` drop single weights of the Linears that hidden units enter (DropConnect; Wan et al. 2013), the same
    ones for all examples of a step, where the source draws a mask an example.

    With `network.output=sigmoid` the output Linear has one logit z, and the logits are (0, z): their softmax is
    (1 - sigmoid(z), sigmoid(z)), so that their cross-entropy is the binary one of z.
    """

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
        sizes = layer_sizes(config, n_features, n_classes)
        self.linears = nn.ModuleList(Linear(k, i, o, dtype=dtype, device=device) for i, o in pairwise(sizes))
        self.dropouts = nn.ModuleList(Dropout(k, width, dtype=dtype, device=device) for width in sizes[:-1])
        hidden = list(pairwise(sizes))[1:]
        self.dropconnects = nn.ModuleList(Dropout(k, i * o, dtype=dtype, device=device) for i, o in hidden)
        self.activation = ACTIVATIONS[config.activation]

    @property
    def noisy_layers(self) -> list[Dropout]:
        """In the order in which they get their random bits: hidden layers first, the input last."""
        first, *hidden = (layer for layer in self.dropouts if isinstance(layer, Dropout))
        return [*hidden, first]

    @property
    def weight_droppers(self) -> list[Dropout]:
        """One for each Linear but the first; `width` is the number of its weights."""
        return [layer for layer in self.dropconnects if isinstance(layer, Dropout)]

    def forward(self, x_KBI: Tensor) -> Tensor:
        for index, (dropout, linear) in enumerate(zip(self.dropouts, self.linears, strict=True)):
            assert isinstance(dropout, Dropout)
            assert isinstance(linear, Linear)
            if index > 0 and self.config.activation == "relu":
                x_KBI = dropout.after_relu(x_KBI)
            else:
                x_KBI = dropout(self.activation(x_KBI) if index > 0 else x_KBI)
            dropped = self.weight_droppers[index - 1].factors_KBI(linear.weight) if index > 0 else None
            x_KBI = linear(x_KBI, dropped)
        return x_KBI if self.config.output == "softmax" else F.pad(x_KBI, (1, 0))

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
