"""How sparse and how large the weights of a fit are. I incoming weights, O units of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor

from ridgeline.networks.stacking.network import StackedNetwork


def weight_figures(network: StackedNetwork, row_S: Tensor) -> dict[str, float]:
    """Of a fit's row, its penalized weights alone: shares in [0, 1], and the Frobenius norm of each layer.

    `zero_weights`: the share of weights that are exactly 0 (1 - L0 / their number). `zero_units`: the share of hidden
    units that take nothing in, all their incoming weights being exactly 0; in a chain of layers also those that give
    nothing on, where all weights of the next layer that read them are.
    """
    row_1S = row_S.unsqueeze(0)
    layers = {weight.layer: weight.view_KIO(row_1S)[0] for weight in network.weights if weight.has_units}
    n_weights = sum(w.numel() for w in layers.values())
    if n_weights == 0:
        return {}
    n_zero = n_weights - sum(int(torch.count_nonzero(w)) for w in layers.values())
    figures = {"final/zero_weights": n_zero / n_weights}
    hidden = list(layers.values())[:-1]
    idle = [~w_IO.any(dim=0) for w_IO in hidden]
    if network.is_chain:
        idle = [own | ~after_IO.any(dim=1) for own, (_, after_IO) in zip(idle, pairwise(layers.values()), strict=True)]
    if idle:
        figures["final/zero_units"] = torch.cat(idle).float().mean().item()
    for name, w in layers.items():
        figures[f"final/weight_norm/{name}"] = torch.linalg.vector_norm(w).item()
    return figures


def weights_W(tensors: Mapping[str, Tensor]) -> Tensor:
    """The weights of a fit's layers in one row, of its tensors by name: no biases, norms and running statistics, which
    have one axis."""
    weights = [tensor for name, tensor in tensors.items() if "weight" in name and tensor.dim() > 1]
    return torch.cat([weight.flatten(1).t().flatten() for weight in weights])
