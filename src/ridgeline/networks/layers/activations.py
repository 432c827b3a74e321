"""Activations that are the same bits for a number wherever it stands in a tensor: in place, where they need their own
output alone for the gradient, and the product before it nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST_VECTOR = 64
"""Numbers that a kernel of torch's takes at once, at most: two vectors of 512 bits, of 16 bits a number."""


def sigmoid_(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), the same bits for a number wherever it stands in a tensor."""
    y: Tensor = _Sigmoid.apply(x)
    return y


def silu(x: Tensor) -> Tensor:
    """x / (1 + exp(-x)) (Elfwing et al. 2018), the same bits for a number wherever it stands in a tensor."""
    y: Tensor = _SiLU.apply(x)
    return y


def in_whole_vectors(compute: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """What `compute` makes of numbers one by one, the same bits for each wherever it stands.

    torch takes what is left over after the last whole vector one by one, with another exp or sin than in vectors, so
    that a fit's last bits would depend on how many fits come after it. Here the rest is padded to a vector.
    """
    first, n = values[0], values[0].numel()
    rest = n % LONGEST_VECTOR if first.device.type == "cpu" else 0
    values = tuple(each.contiguous() for each in values)
    y = compute(*values)
    if rest:
        padded = compute(*(F.pad(each.view(-1)[n - rest :], (0, LONGEST_VECTOR - rest)) for each in values))
        y.view(-1)[n - rest :] = padded[:rest]
    return y


class _Sigmoid(torch.autograd.Function):
    """In place, as `in_whole_vectors` would do it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        n, flat_N = x.numel(), x.view(-1)
        rest = n % LONGEST_VECTOR if x.device.type == "cpu" else 0
        if rest:
            padded = F.pad(flat_N[n - rest :], (0, LONGEST_VECTOR - rest)).sigmoid_()
            flat_N[n - rest :] = padded[:rest]
        flat_N[: n - rest].sigmoid_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.sigmoid_backward(grads[0], y)


class _SiLU(torch.autograd.Function):
    """Not in place: the gradient needs what came in."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return in_whole_vectors(F.silu, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return in_whole_vectors(torch.ops.aten.silu_backward, grads[0], x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "tanh": torch.tanh_,
    "sigmoid": sigmoid_,
    "silu": silu,
}
