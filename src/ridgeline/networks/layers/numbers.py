"""Numbers of a table as several inputs each, which a layer can bend where the data do (Gorishniy et al. 2022).

B batch, N numbers of a row, T bins, F frequencies, D values that a number becomes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.networks.layers.activations import in_whole_vectors

FARTHEST = 1000.0
"""Widths of the outermost bin that a number beyond the train split's counts at most."""


class PiecewiseLinear(nn.Module):
    """Each number becomes T: of bins that end below it 1, of bins that begin above it 0, of its own the share that lies
    below it. The first and the last bin go on beyond their edges.

    The edges are quantiles of the train split; a bin without width, between equal ones, gives 0 always.
    """

    low: Tensor
    scale: Tensor

    def __init__(self, quantiles: Sequence[Sequence[float]], bins: int) -> None:
        super().__init__()
        edges = torch.stack([_edges(torch.tensor(own, dtype=torch.float64), bins) for own in quantiles])
        width_NT = edges.diff(dim=1)
        self.register_buffer("low", edges[:, :-1].float())
        self.register_buffer("scale", torch.where(width_NT > 0, 1 / width_NT, 0.0).float())

    @property
    def n_outputs(self) -> int:
        return self.low.numel()

    def forward(self, x_BN: Tensor) -> Tensor:
        return shares_below(x_BN, self.low, self.scale).flatten(1)


def shares_below(x: Tensor, low: Tensor, scale: Tensor) -> Tensor:
    """Of numbers (..., N) in bins (..., N, T): how much of each lies below the number."""
    shares = (x.unsqueeze(-1) - low).mul_(scale)
    # The limits of all but two bins are the same: so clamped, a batch takes a fifth of the time.
    first, last = shares[..., 0].clamp(-FARTHEST, 1), shares[..., -1].clamp(0, FARTHEST)
    shares.clamp_(0, 1)
    shares[..., 0], shares[..., -1] = first, last
    return shares


def _edges(quantiles: Tensor, bins: int) -> Tensor:
    """So many + 1 of the distinct ones, evenly, at least three; where there are fewer, bins without width come before
    the last one."""
    distinct = quantiles.unique()
    if len(distinct) == 1:  # a constant, which is 0 in the train split
        distinct = torch.cat([distinct, distinct + 1])
    if len(distinct) == 2:
        distinct = torch.stack([distinct[0], distinct.mean(), distinct[1]])
    n = min(bins, len(distinct) - 1)
    edges = distinct[torch.linspace(0, len(distinct) - 1, n + 1, dtype=torch.float64).round().long()]
    return torch.cat([edges[:-1], edges[-2].expand(bins - n), edges[-1:]])


class Periodic(nn.Module):
    """Each number x becomes W (cos(2 pi c x), sin(2 pi c x)) + b, with F frequencies c, a W and a b of its own. The
    frequencies are trained, from normal numbers of deviation `sigma`."""

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
        return values_NBD.transpose(0, 1).flatten(1)


def waves(turns: Tensor) -> Tensor:
    """cos and sin of so many whole turns, one after the other along the last axis."""
    both: Tensor = _Waves.apply(turns)
    return both


class _Waves(torch.autograd.Function):
    """Each of the two is what the gradient of the other needs."""

    @staticmethod
    def forward(ctx: Any, turns: Tensor) -> Tensor:
        angle = turns * (2 * math.pi)
        both = torch.cat([in_whole_vectors(torch.cos, angle), in_whole_vectors(torch.sin, angle)], dim=-1)
        ctx.save_for_backward(both)
        return both

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (both,) = ctx.saved_tensors
        (cos, sin), (by_cos, by_sin) = both.chunk(2, dim=-1), grads[0].chunk(2, dim=-1)
        return (by_sin * cos - by_cos * sin).mul_(2 * math.pi)
