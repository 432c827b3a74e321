"""The rivals' network: torch.nn's own layers, the initialization of ours, so that losses can be compared."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rivals.workloads import DROPOUT, L2


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
