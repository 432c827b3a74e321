"""Stack-aware layers: plain modules whose tensors carry K fits in their first axis.

K fits, B batch, I inputs, O outputs; R rows, S summands, C columns of a product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """x W + b of K fits as one batched product. Weight (K, I, O), bias (K, 1, O).

    With factors, as DropConnect has them, x (W * factors) + b; the gradient by W is multiplied by them too.
    Where the parameters' `grad` exists, a backward pass overwrites it instead of adding to it: a row of gradients needs
    then no copy and no zeros.
    """

    def __init__(self, k: int, n_inputs: int, n_outputs: int, *, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(k, n_inputs, n_outputs, dtype=dtype, device=device))
        self.bias = nn.Parameter(torch.zeros(k, 1, n_outputs, dtype=dtype, device=device))

    def forward(self, x_KBI: Tensor, factors_KIO: Tensor | None = None) -> Tensor:
        product_KBO: Tensor = _Product.apply(x_KBI, self.weight, self.bias, factors_KIO)
        return product_KBO


class _Product(torch.autograd.Function):
    """x W + b in the type of x, whose gradients go straight into `grad` of its parameters."""

    @staticmethod
    def forward(ctx: Any, x_KBI: Tensor, weight_KIO: Tensor, bias_K1O: Tensor, factors_KIO: Tensor | None) -> Tensor:
        rounded_KIO = (weight_KIO if factors_KIO is None else weight_KIO * factors_KIO).to(x_KBI.dtype)
        ctx.save_for_backward(x_KBI, rounded_KIO, factors_KIO)
        ctx.parameters = weight_KIO, bias_K1O
        return _multiplied(x_KBI, rounded_KIO, add=bias_K1O.to(x_KBI.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        (grad_KBO,), (weight_KIO, bias_K1O) = grads, ctx.parameters
        x_KBI, rounded_KIO, factors_KIO = ctx.saved_tensors
        written, same_type = weight_KIO.grad is not None, x_KBI.dtype == weight_KIO.dtype
        weight_grad = torch.bmm(x_KBI.transpose(1, 2), grad_KBO, out=weight_KIO.grad if same_type else None)
        if written and not same_type:  # a product writes its own type only
            weight_KIO.grad.copy_(weight_grad)
        if factors_KIO is not None:
            (weight_KIO.grad if written else weight_grad).mul_(factors_KIO)
        bias_grad = torch.sum(grad_KBO, 1, keepdim=True, dtype=bias_K1O.dtype, out=bias_K1O.grad)
        x_grad = _multiplied(grad_KBO, rounded_KIO.transpose(1, 2)) if ctx.needs_input_grad[0] else None
        return x_grad, None if written else weight_grad, None if written else bias_grad, None


def _multiplied(a_KRS: Tensor, b_KSC: Tensor, add: Tensor | None = None) -> Tensor:
    """The product of each fit's matrices, plus `add` (K, 1, C), with the same bits for a fit whatever K is.

    For a single column there is a kernel of its own, which rounds otherwise, but for a batch of one alone. So there the
    fit is multiplied twice.
    """
    twice = len(a_KRS) == 1 and min(a_KRS.shape[1], b_KSC.shape[2]) == 1
    if twice:
        a_KRS, b_KSC = a_KRS.expand(2, -1, -1), b_KSC.expand(2, -1, -1)
    product_KRC = torch.bmm(a_KRS, b_KSC) if add is None else torch.baddbmm(add, a_KRS, b_KSC)
    return product_KRC[:1].clone() if twice else product_KRC


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014), a rate a fit: y = x * (bits <= threshold) / (1 - rate) in training.

    The rate is data, not structure: `set_rates` changes it. The random bits, int16 (K, B, width), are put into `bits`
    before each step; a rate is exact to 2**-16. A rate of 0 leaves its fit's values exactly as they are.
    """

    threshold: Tensor
    scale: Tensor

    def __init__(self, k: int, width: int, *, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.width = width
        self.rates: list[float] = [0.0] * k
        self.bits: Tensor | None = None
        self.register_buffer("threshold", torch.zeros(k, 1, 1, dtype=torch.int16, device=device), persistent=False)
        self.register_buffer("scale", torch.ones(k, 1, 1, dtype=dtype, device=device), persistent=False)
        self.set_rates(self.rates)

    def set_rates(self, rates_K: list[float]) -> None:
        """Rates in [0, 1 - 2**-16], one a fit."""
        self.rates = list(rates_K)
        kept_K = [round((1 - rate) * 65536) for rate in rates_K]
        # Of a small share that is kept its rounding would show: the mean is that of the share as it is.
        scale_K = [65536 / n if n < 256 else 1 / (1 - rate) for n, rate in zip(kept_K, rates_K, strict=True)]
        threshold_K = [n - 32769 for n in kept_K]  # bits <= 32767 always holds
        self.threshold.copy_(torch.tensor(threshold_K, dtype=torch.int16).view(-1, 1, 1))
        self.scale.copy_(torch.tensor(scale_K, dtype=self.scale.dtype).view(-1, 1, 1))

    @property
    def is_on(self) -> bool:
        """Whether any fit drops anything."""
        return any(rate > 0 for rate in self.rates)

    def forward(self, x_KBI: Tensor) -> Tensor:
        factors_KBI = self.factors_KBI(x_KBI)
        return x_KBI if factors_KBI is None else x_KBI * factors_KBI

    def factors_KBI(self, like_KBI: Tensor) -> Tensor | None:
        """1 / (1 - rate) where something is kept, 0 where it is dropped; None where nothing can be."""
        if not (self.training and self.is_on):
            return None
        return self._kept_KBI(like_KBI).mul_(self.scale)

    def after_relu(self, x_KBI: Tensor) -> Tensor:
        """forward(relu(x)), with the mask of the ReLU and of the dropout as one."""
        if not (self.training and self.is_on):
            return x_KBI.relu_()
        dropped: Tensor = _DropAfterReLU.apply(x_KBI, self._kept_KBI(x_KBI), self.scale)
        return dropped

    def _kept_KBI(self, like_KBI: Tensor) -> Tensor:
        """1 where a unit is kept, as numbers: comparing into them is much faster than going through booleans."""
        assert self.bits is not None, "the step fills the bits before the forward pass"
        return torch.le(self.bits, self.threshold, out=torch.empty_like(like_KBI, requires_grad=False))


class _DropAfterReLU(torch.autograd.Function):
    """relu(x) * scale, 0 where dropped, in place. Backward needs the output alone: it passes where that is above 0."""

    @staticmethod
    def forward(ctx: Any, x_KBI: Tensor, kept_KBI: Tensor, scale_K11: Tensor) -> Tensor:
        x_KBI.clamp_min_(0).mul_(kept_KBI.mul_(scale_K11))
        ctx.mark_dirty(x_KBI)
        ctx.save_for_backward(x_KBI, scale_K11)
        return x_KBI

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        y_KBI, scale_K11 = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(grads[0], y_KBI, 0).mul_(scale_K11), None, None
