"""x W + b of K fits as one batched product.

K fits, B batch, I inputs, O outputs; R rows, S summands, C columns of a product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Written:
    """Whether the gradients of one layer's parameters are of this step yet.

    Where they are not, a backward pass overwrites them instead of adding to them: a row of gradients needs then no copy
    and no zeros.
    """

    def __init__(self) -> None:
        self.is_so = True


def product(
    x: Tensor, weight_KIO: Tensor, bias_KO: Tensor | None, factors_KIO: Tensor | None, written: Written
) -> Tensor:
    """Of inputs (..., I) whose leading axes are K and B, folded or not, and perhaps more.

    With factors, as DropConnect has them, x (W * factors) + b; the gradient by W is multiplied by them too.
    """
    y: Tensor = _Product.apply(x, weight_KIO, bias_KO, factors_KIO, written)
    return y


class _Product(torch.autograd.Function):
    """In the type of x; its gradients go straight into `grad` of its parameters."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight_KIO: Tensor,
        bias_KO: Tensor | None,
        factors_KIO: Tensor | None,
        written: Written,
    ) -> Tensor:
        x_KBI = _by_fit(x, weight_KIO)
        rounded_KIO = (weight_KIO if factors_KIO is None else weight_KIO * factors_KIO).to(x.dtype)
        ctx.save_for_backward(x_KBI, rounded_KIO, factors_KIO)
        ctx.parameters, ctx.shape, ctx.written = (weight_KIO, bias_KO), x.shape, written
        bias_K1O = None if bias_KO is None else bias_KO.unsqueeze(1).to(x.dtype)
        return _multiplied(x_KBI, rounded_KIO, bias_K1O, (*x.shape[:-1], weight_KIO.shape[2]))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x_KBI, rounded_KIO, factors_KIO = ctx.saved_tensors
        weight_KIO, bias_KO = ctx.parameters
        grad_KBO = _by_fit(grads[0], rounded_KIO)
        weight_grad = bias_grad = x_grad = None
        overwrites, ctx.written.is_so = not ctx.written.is_so, True
        if ctx.needs_input_grad[1]:
            into = weight_KIO.grad if overwrites else None
            same_type = x_KBI.dtype == weight_KIO.dtype
            x_KIB = x_KBI.transpose(1, 2)
            if same_type:
                weight_grad = torch.bmm(x_KIB, grad_KBO, out=into)
            elif x_KBI.device.type != "cpu":  # rounded factors, exact sums
                weight_grad = torch.bmm(x_KIB, grad_KBO, weight_KIO.dtype, out=into)
            else:  # there a product writes its own type only
                weight_grad = torch.bmm(x_KIB, grad_KBO)
                if into is not None:
                    into.copy_(weight_grad)
            if factors_KIO is not None:
                (weight_grad if into is None else into).mul_(factors_KIO)
            weight_grad = weight_grad.to(weight_KIO.dtype) if into is None else None
        if bias_KO is not None and ctx.needs_input_grad[2]:
            into = bias_KO.grad if overwrites else None
            bias_grad = torch.sum(grad_KBO, 1, dtype=bias_KO.dtype, out=into)
            bias_grad = bias_grad if into is None else None
        if ctx.needs_input_grad[0]:
            x_grad = _multiplied(grad_KBO, rounded_KIO.transpose(1, 2), None, ctx.shape)
        return x_grad, weight_grad, bias_grad, None, None


def _by_fit(values: Tensor, like_K: Tensor) -> Tensor:
    """As (K, B, ...) whose last axis is the last one."""
    unfolded = values.dim() == 3 and len(values) == len(like_K)
    return values if unfolded else values.reshape(len(like_K), -1, values.shape[-1])


def _multiplied(a_KRS: Tensor, b_KSC: Tensor, add_K1C: Tensor | None, shape: Sequence[int]) -> Tensor:
    """The product of each fit's matrices, plus `add`, in this shape, with the same bits for a fit whatever K is.

    For a single column there is a kernel of its own, which rounds otherwise, but for a batch of one alone. So there the
    fit is multiplied twice.
    """
    is_single = len(a_KRS) == 1 and min(a_KRS.shape[1], b_KSC.shape[2]) == 1
    if is_single:
        a_KRS, b_KSC = a_KRS.expand(2, -1, -1), b_KSC.expand(2, -1, -1)
    elif len(shape) != 3 or shape[0] != len(a_KRS):  # not a view of the product: what comes next may work in place
        product = a_KRS.new_empty(shape)
        into = product.view(len(a_KRS), -1, b_KSC.shape[2])
        _ = torch.bmm(a_KRS, b_KSC, out=into) if add_K1C is None else torch.baddbmm(add_K1C, a_KRS, b_KSC, out=into)
        return product
    product = torch.bmm(a_KRS, b_KSC) if add_K1C is None else torch.baddbmm(add_K1C, a_KRS, b_KSC)
    return product[0].reshape(shape).clone() if is_single else product
