"""How sparse and how large the weights of a fit are. I inputs, O outputs of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor


def weight_figures(weights: Mapping[str, Tensor]) -> dict[str, float]:
    """Of a fit's tensors by name, biases left out: shares in [0, 1], and the Frobenius norm of each layer.

    `zero_weights`: the share of weights that are exactly 0 (1 - L0 / their number). `zero_units`: the share of hidden
    units that take nothing in or give nothing on, all their incoming or all their outgoing weights being exactly 0.
    """
    layers_IO = {name.removesuffix(".weight"): w for name, w in weights.items() if name.endswith(".weight")}
    n_weights = sum(w.numel() for w in layers_IO.values())
    n_zero = n_weights - sum(int(torch.count_nonzero(w)) for w in layers_IO.values())
    figures = {"final/zero_weights": n_zero / n_weights}
    idle = [~(before.any(dim=0) & after.any(dim=1)) for before, after in pairwise(layers_IO.values())]
    if idle:
        figures["final/zero_units"] = torch.cat(idle).float().mean().item()
    for name, w in layers_IO.items():
        figures[f"final/weight_norm/{name}"] = torch.linalg.vector_norm(w).item()
    return figures
