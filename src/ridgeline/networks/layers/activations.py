"""Activations, in place: each needs its own output alone for the gradient, and the product before it nothing."""

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


class _Sigmoid(torch.autograd.Function):
    """torch takes what is left over after the last whole vector one by one, with another exp than in vectors, so that a
    fit's last bits would depend on how many fits come after it. Here the rest is padded to a vector."""

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


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu_, "tanh": torch.tanh_, "sigmoid": sigmoid_}
