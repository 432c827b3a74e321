"""Numbers of a table as several inputs each, which a layer can bend where the data do (Gorishniy et al. 2022).

B batch, N numbers of a row, T bins, F frequencies, D values that a number becomes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.networks.layers.activations import in_whole_vectors

FARTHEST = 1000.0
"""Widths of the outermost bin that a number beyond the train split's counts at most."""


class PiecewiseLinear(nn.Module):
    """Each number becomes T: of bins that end below it 1, of bins that begin above it 0, of its own the share that lies
    below it. The outermost go on beyond their edges.

    The edges are quantiles of the train split; a bin without width, between equal ones, gives 0 always. Without any,
    the first passes on how far the number is from there.
    """

    low: Tensor
    scale: Tensor
    least: Tensor
    most: Tensor

    def __init__(self, quantiles: Sequence[Sequence[float]], bins: int) -> None:
        super().__init__()
        self.bins = bins
        edges = torch.stack([_edges(torch.tensor(own, dtype=torch.float64), bins) for own in quantiles])
        width_NT = edges.diff(dim=1)
        is_bin_NT = width_NT > 0
        is_bin_NT[:, 0] |= ~is_bin_NT.any(dim=1)
        scale_NT = torch.where(is_bin_NT, 1 / torch.where(width_NT > 0, width_NT, 1.0), 0.0)
        places_T = torch.arange(bins)
        first_N1 = torch.where(is_bin_NT, places_T, bins).amin(dim=1, keepdim=True)
        last_N1 = torch.where(is_bin_NT, places_T, -1).amax(dim=1, keepdim=True)
        self.register_buffer("low", edges[:, :-1].float())
        self.register_buffer("scale", scale_NT.float())
        self.register_buffer("least", torch.where(places_T == first_N1, -FARTHEST, 0.0))
        self.register_buffer("most", torch.where(places_T == last_N1, FARTHEST, 1.0))

    @property
    def n_outputs(self) -> int:
        return self.low.numel()

    def forward(self, x_BN: Tensor) -> Tensor:
        shares_BNT = (x_BN.unsqueeze(2) - self.low).mul_(self.scale)
        return torch.clamp(shares_BNT, self.least, self.most).flatten(1)


def _edges(quantiles: Tensor, bins: int) -> Tensor:
    """So many + 1 of the distinct ones, evenly; the last one again and again where there are fewer."""
    distinct = quantiles.unique()
    n = min(bins, max(1, len(distinct) - 1))
    places = torch.linspace(0, len(distinct) - 1, n + 1, dtype=torch.float64).round().long()
    return F.pad(distinct[places].unsqueeze(0), (0, bins - n), mode="replicate")[0]


class Periodic(nn.Module):
    """Each number x becomes relu(W (cos(2 pi c x), sin(2 pi c x)) + b), with F frequencies c, a W and a b of its own:
    PLR there. The frequencies are trained, from normal numbers of deviation `sigma`."""

    def __init__(self, n_numbers: int, frequencies: int, sigma: float, width: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(n_numbers, frequencies) * sigma)
        bound = 1 / math.sqrt(2 * frequencies)
        self.weight = nn.Parameter(torch.empty(2 * frequencies, n_numbers * width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_numbers * width).uniform_(-bound, bound))

    @property
    def n_outputs(self) -> int:
        return self.bias.numel()

    def forward(self, x_BN: Tensor) -> Tensor:
        waves_NBF = waves((x_BN.unsqueeze(2) * self.frequencies).transpose(0, 1))
        n = len(self.frequencies)
        weight_NFD = self.weight.unflatten(1, (n, -1)).transpose(0, 1)
        values_NBD = torch.baddbmm(self.bias.view(n, 1, -1), waves_NBF, weight_NFD)
        return values_NBD.transpose(0, 1).flatten(1).relu()


def waves(turns: Tensor) -> Tensor:
    """cos and sin of so many whole turns, along the last axis."""
    angle = turns * (2 * math.pi)
    return torch.cat([_Cos.apply(angle), _Sin.apply(angle)], dim=-1)


class _Cos(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return in_whole_vectors(torch.cos, x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return -grads[0] * in_whole_vectors(torch.sin, x)


class _Sin(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return in_whole_vectors(torch.sin, x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grads[0] * in_whole_vectors(torch.cos, x)
