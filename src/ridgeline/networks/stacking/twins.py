"""Layers of K fits with K folded into the batch: what comes in and goes out is (K * B, ...), fit after fit.

A twin takes the place of one ordinary layer, and looks at what comes in as (K, B, ...). Its parameters are views of the
fits' rows, put there by whoever makes it; `factors` multiply its weight for a step.
K fits, B batch, I inputs, O outputs, C channels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.networks.layers.numbers import Periodic, PiecewiseLinear, shares_below, waves
from ridgeline.networks.stacking.products import Written, product


class Twin(nn.Module):
    """Its parameters are there, or None, as its layer's are."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    factors: Tensor | None = None


class LinearTwin(Twin):
    """Weight (K, I, O), bias (K, O). Leading axes may also come unfolded: (K, B, I)."""

    order = (1, 0)
    """Of the axes of the weight in a row."""

    def __init__(self, layer: nn.Linear, k: int) -> None:
        super().__init__()
        self.k, self.written = k, Written()
        self.register_parameter("bias", None)

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.weight, self.bias, self.factors, self.written)


class ConvTwin(Twin):
    """A convolution in groups, a fit's each."""

    def __init__(self, layer: nn.Conv1d | nn.Conv2d, k: int) -> None:
        super().__init__()
        self.k, self._layer = k, [layer]  # in a list: a module in an attribute would become a part of this one
        self.register_parameter("bias", None)

    def forward(self, x: Tensor) -> Tensor:
        (layer,) = self._layer
        folded = x.unflatten(0, (self.k, -1)).transpose(0, 1).flatten(1, 2)  # (B, K * C, ...)
        padding: Any = layer.padding
        if layer.padding_mode != "zeros":
            folded, padding = F.pad(folded, layer._reversed_padding_repeated_twice, mode=layer.padding_mode), 0
        convolve: Any = F.conv1d if isinstance(layer, nn.Conv1d) else F.conv2d
        weight = _multiplied(self.weight, self.factors).flatten(0, 1).to(x.dtype)
        bias = None if self.bias is None else self.bias.flatten().to(x.dtype)
        y = convolve(folded, weight, bias, layer.stride, padding, layer.dilation, self.k * layer.groups)
        unfolded: Tensor = y.unflatten(1, (self.k, -1)).transpose(0, 1).flatten(0, 1)
        return unfolded


class BatchNormTwin(Twin):
    """Batch statistics of each fit's own examples: torch's own kernel, fit after fit; elsewhere than on a CPU, where
    each call has its price, once for the channels of all fits."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d, k: int) -> None:
        super().__init__()
        self.k, self.momentum, self.eps = k, layer.momentum or 0.0, layer.eps
        for name in ("weight", "bias"):
            self.register_parameter(name, None)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, None)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        by_batch = self.training or self.running_mean is None
        return self.one_by_one(x, by_batch) if x.device.type == "cpu" else self.at_once(x, by_batch)

    def one_by_one(self, x: Tensor, by_batch: bool) -> Tensor:
        x_KB = x.unflatten(0, (self.k, -1)).unbind()
        columns = [self.k * [None] if tensor is None else tensor.unbind() for tensor in (self.weight, self.bias)]
        # `data`, or a step of one fit's statistics would count as a change of those that autograd keeps of another.
        statistics = (self.running_mean, self.running_var)
        columns += [self.k * [None] if each is None else [own.data for own in each] for each in statistics]
        done = [
            F.batch_norm(own, mean, var, weight, bias, by_batch, self.momentum, self.eps)
            for own, weight, bias, mean, var in zip(x_KB, *columns, strict=True)
        ]
        return torch.cat(done)

    def at_once(self, x: Tensor, by_batch: bool) -> Tensor:
        folded = x.unflatten(0, (self.k, -1)).transpose(0, 1).flatten(1, 2)  # (B, K * C, ...)
        statistics = [None if each is None else each.data for each in (self.running_mean, self.running_var)]
        copies = [None if each is None else each.clone(memory_format=torch.contiguous_format) for each in statistics]
        mean, var = (None if each is None else each.flatten() for each in copies)
        weight, bias = (None if each is None else each.flatten() for each in (self.weight, self.bias))
        y = F.batch_norm(folded, mean, var, weight, bias, by_batch, self.momentum, self.eps)
        if by_batch:
            for kept, new in zip(statistics, (mean, var), strict=True):
                if kept is not None and new is not None:
                    kept.copy_(new.view(kept.shape))
        unfolded: Tensor = y.unflatten(1, (self.k, -1)).transpose(0, 1).flatten(0, 1)
        return unfolded


class LayerNormTwin(Twin):
    def __init__(self, layer: nn.LayerNorm, k: int) -> None:
        super().__init__()
        self.k, self.normalized, self.eps = k, layer.normalized_shape, layer.eps
        for name in ("weight", "bias"):
            self.register_parameter(name, None)

    def forward(self, x: Tensor) -> Tensor:
        y = F.layer_norm(x, self.normalized, eps=self.eps)
        if self.weight is None:
            return y
        rows = y.reshape(self.k, -1, *self.normalized)  # (K, all before, ...)
        weight = self.weight.unsqueeze(1).to(x.dtype)
        scaled = rows * weight if self.bias is None else torch.addcmul(self.bias.unsqueeze(1).to(x.dtype), rows, weight)
        return scaled.view(x.shape)


class GroupNormTwin(Twin):
    def __init__(self, layer: nn.GroupNorm, k: int) -> None:
        super().__init__()
        self.k, self.groups, self.eps = k, layer.num_groups, layer.eps
        for name in ("weight", "bias"):
            self.register_parameter(name, None)

    def forward(self, x: Tensor) -> Tensor:
        y = F.group_norm(x, self.groups, eps=self.eps)
        if self.weight is None:
            return y
        rows = y.unflatten(0, (self.k, -1)).flatten(3) if x.dim() > 2 else y.unflatten(0, (self.k, -1)).unsqueeze(3)
        assert self.bias is not None, "a GroupNorm has both or none"
        weight, bias = (each[:, None, :, None].to(x.dtype) for each in (self.weight, self.bias))  # (K, 1, C, 1)
        return torch.addcmul(bias, rows, weight).reshape(x.shape)


class EmbeddingTwin(Twin):
    def __init__(self, layer: nn.Embedding, k: int) -> None:
        super().__init__()
        self.k, self.padding_idx = k, layer.padding_idx

    def forward(self, positions: Tensor) -> Tensor:
        rows = positions.unflatten(0, (self.k, -1))
        fits = torch.arange(self.k, device=rows.device).view(-1, *(1 for _ in rows.shape[1:]))
        found = _multiplied(self.weight, self.factors)[fits, rows]
        if self.padding_idx is not None:  # which gets no gradient
            found = torch.where((rows == self.padding_idx).unsqueeze(-1), found.detach(), found)
        return found.flatten(0, 1)


class PiecewiseLinearTwin(Twin):
    """Edges of each fit's own: (K, N, T). Where they are the same, there is no need of it."""

    low: Tensor
    scale: Tensor

    def __init__(self, layer: PiecewiseLinear, k: int) -> None:
        super().__init__()
        self.k = k
        for name in ("low", "scale"):
            self.register_buffer(name, getattr(layer, name).expand(k, -1, -1))

    def forward(self, x: Tensor) -> Tensor:
        x_KBN = x.view(self.k, -1, x.shape[1])
        return shares_below(x_KBN, self.low.unsqueeze(1), self.scale.unsqueeze(1)).view(len(x), -1)


class PeriodicTwin(Twin):
    """Frequencies (K, N, F), weight (K, 2 F, N D), bias (K, N D): a product for each number of each fit."""

    frequencies: nn.Parameter

    def __init__(self, layer: Periodic, k: int) -> None:
        super().__init__()
        self.k = k
        for name in ("frequencies", "weight", "bias"):
            self.register_parameter(name, None)

    def forward(self, x: Tensor) -> Tensor:
        k, n, _ = self.frequencies.shape
        turns = x.view(k, -1, n).transpose(1, 2).unsqueeze(3) * self.frequencies.unsqueeze(2)  # (K, N, B, F)
        assert self.bias is not None, "it always has one"
        weight = _multiplied(self.weight, self.factors).unflatten(2, (n, -1)).transpose(1, 2).flatten(0, 1)
        values = product(waves(turns).flatten(0, 1), weight, self.bias.reshape(k * n, -1), None, Written())
        return values.view(k, n, -1, weight.shape[2]).transpose(1, 2).reshape(len(x), -1)


def _multiplied(weight: Tensor, factors: Tensor | None) -> Tensor:
    """By what DropConnect leaves of it."""
    return weight if factors is None else weight * factors


TWINS: dict[type[nn.Module], Any] = {
    nn.Linear: LinearTwin,
    nn.Conv1d: ConvTwin,
    nn.Conv2d: ConvTwin,
    nn.BatchNorm1d: BatchNormTwin,
    nn.BatchNorm2d: BatchNormTwin,
    nn.LayerNorm: LayerNormTwin,
    nn.GroupNorm: GroupNormTwin,
    nn.Embedding: EmbeddingTwin,
    PiecewiseLinear: PiecewiseLinearTwin,
    Periodic: PeriodicTwin,
}
"""By the exact type of a layer: a subclass may do something else."""


def why_no_twin(layer: nn.Module) -> str | None:
    """What stands in the way of a twin of a layer that has parameters or buffers of its own."""
    if type(layer) not in TWINS:
        return f"{type(layer).__name__} has no twin"
    if isinstance(layer, nn.Embedding) and (layer.max_norm is not None or layer.scale_grad_by_freq or layer.sparse):
        return "an Embedding with max_norm, scale_grad_by_freq or sparse has no twin"
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.momentum is None:
        return "a BatchNorm without momentum has no twin"
    if layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks:
        return f"a {type(layer).__name__} has hooks"
    if isinstance(layer, nn.Linear) and len({p.requires_grad for p in layer.parameters()}) > 1:
        return "a Linear is frozen in part"
    return None
