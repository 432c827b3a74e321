"""The rivals' networks: torch.nn's own layers, the initialization of ours, so that losses can be compared."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rivals.workloads import CHANNELS, DENSE, DROPOUT, KERNEL, L2, Workload
from zoo import ResidualMLP


def network_of(workload: Workload) -> nn.Module:
    """What a workload's name of a network means; flat rows go in."""
    if workload.network == "cnn":
        return build_cnn(math.isqrt(workload.sizes[0] // workload.channels), workload.channels)
    if workload.network == "residual":
        return ResidualMLP(workload.sizes[0], workload.sizes[-1])
    return build_network(workload.sizes)


def build_cnn(side: int, n_channels: int) -> nn.Sequential:
    """Two convolutions with pooling and a dense layer, for square images, as any tutorial has them."""
    first, second = CHANNELS
    layers = [
        nn.Unflatten(1, (n_channels, side, side)),
        *(nn.Conv2d(n_channels, first, KERNEL, padding="same"), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(first, second, KERNEL, padding="same"), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(second * (side // 4) ** 2, DENSE), nn.ReLU(), nn.Dropout(DROPOUT)),
        nn.Linear(DENSE, 10),
    ]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="linear" if layer is layers[-1] else "relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def build_network(sizes: tuple[int, ...], dropout: float = DROPOUT) -> nn.Sequential:
    """(Linear, ReLU, Dropout) a hidden layer, then Linear. He initialization (He et al. 2015), gain 1 at the end."""
    *hidden, n_classes = sizes[1:]
    layers: list[nn.Module] = []
    n_in = sizes[0]
    for n_out in hidden:
        layers += [_linear(n_in, n_out, "relu"), nn.ReLU(), nn.Dropout(dropout)]
        n_in = n_out
    return nn.Sequential(*layers, _linear(n_in, n_classes, "linear"))


def penalty(network: nn.Module, l2: float = L2) -> Tensor:
    """l2 / 2 * sum W^2 over weight matrices, to be added to the loss."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    return 0.5 * l2 * torch.stack([w.square().sum() for w in weights]).sum()


def _linear(n_in: int, n_out: int, nonlinearity: str) -> nn.Linear:
    layer = nn.Linear(n_in, n_out)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity=nonlinearity)
    nn.init.zeros_(layer.bias)
    return layer
