"""Dropout of K fits: a rate a fit, from random bits that are drawn before each step.

K fits, B batch, W values an example.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ridgeline.networks.layers.activations import ACTIVATIONS
from ridgeline.networks.layers.noisy import FUNCTIONS, ActivationDropout


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014), a rate a fit: y = x * (bits <= threshold) / (1 - rate) in training.

    The rate is data, not structure: `set_rates` changes it; `own_rate` is that of the network's author. The random
    bits, int16 (K, B, W), are put into `bits` before each step; a rate is exact to 2**-16. A rate of 0 leaves its fit's
    values exactly as they are. `activation`: what the layer does to its input before it drops.
    """

    threshold: Tensor
    scale: Tensor

    def __init__(
        self,
        k: int,
        width: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
        own_rate: float = 0.0,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        self.width, self.own_rate, self.activation = width, own_rate, activation
        self.rates: list[float] = [0.0] * k
        self._are_set = False
        self.bits: Tensor | None = None
        self.register_buffer("threshold", torch.zeros(k, 1, 1, dtype=torch.int16, device=device), persistent=False)
        self.register_buffer("scale", torch.ones(k, 1, 1, dtype=dtype, device=device), persistent=False)
        self.set_rates([own_rate] * k)

    def set_rates(self, rates_K: Sequence[float]) -> None:
        """Rates in [0, 1 - 2**-16], one a fit."""
        if self._are_set and self.rates == list(rates_K):
            return
        self.rates, self._are_set = list(rates_K), True
        kept_K = [round((1 - rate) * 65536) for rate in rates_K]
        # Of a small share that is kept its rounding would show: the mean is that of the share as it is.
        scale_K = [65536 / n if n < 256 else 1 / (1 - rate) for n, rate in zip(kept_K, rates_K, strict=True)]
        threshold_K = [n - 32769 for n in kept_K]  # bits <= 32767 always holds
        both_2K11 = torch.tensor([threshold_K, scale_K], dtype=torch.float64).view(2, -1, 1, 1)
        threshold_K11, scale_K11 = both_2K11.to(self.scale.device, non_blocking=True)
        self.threshold.copy_(threshold_K11)
        self.scale.copy_(scale_K11)

    @property
    def is_on(self) -> bool:
        """Whether any fit drops anything."""
        return any(rate > 0 for rate in self.rates)

    def forward(self, x: Tensor) -> Tensor:
        """Of values whose first axis, or first two, are K and B. With an activation, in place."""
        drops = self.training and self.is_on
        if self.activation == "relu":
            if not drops:
                return x.relu_()
            dropped: Tensor = _DropAfterReLU.apply(x, self.factors_KBW(x.dtype), self.scale.to(x.dtype))
            return dropped
        if self.activation is not None:
            x = ACTIVATIONS[self.activation](x)
        return x * self.factors_KBW(x.dtype).view(x.shape) if drops else x

    def factors_KBW(self, dtype: torch.dtype) -> Tensor:
        """What values of this type are multiplied by: 0 or the scale, as that type has it."""
        # A scale in float32 would have a CPU convert each of the values, which takes thirty times as long.
        return self.kept_KBW(dtype).mul_(self.scale.to(dtype))

    def kept_KBW(self, dtype: torch.dtype) -> Tensor:
        """1 where something is kept, as numbers: comparing into them is much faster than going through booleans."""
        assert self.bits is not None, "the step fills the bits before the forward pass"
        kept_KBW = torch.empty(self.bits.shape, dtype=dtype, device=self.bits.device)
        return torch.le(self.bits, self.threshold, out=kept_KBW)


class InputDropout(Dropout):
    """That of the features: `codes` are the places of those that are a category's code and not a number.

    One that is dropped is 0, the code of an unknown category; one that is kept stays as it is.
    """

    codes_C: Tensor

    def __init__(self, k: int, width: int, codes: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__(k, width, dtype=dtype, device=device)
        self.register_buffer("codes_C", torch.tensor(codes, dtype=torch.int64, device=device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.is_on and len(self.codes_C)):
            return super().forward(x)
        factors_KBI = self.factors_KBW(x.dtype)
        of_codes_KBC = factors_KBI.index_select(2, self.codes_C).clamp_(max=1)
        return x * factors_KBI.index_copy_(2, self.codes_C, of_codes_KBC)


class _DropAfterReLU(torch.autograd.Function):
    """relu(x) * scale, 0 where dropped, in place. Backward needs the output alone: it passes where that is above 0."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, factors_KBW: Tensor, scale_K11: Tensor) -> Tensor:
        x.clamp_min_(0).view(factors_KBW.shape).mul_(factors_KBW)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x, scale_K11)
        return x

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None]:
        y, scale_K11 = ctx.saved_tensors  # type: ignore[attr-defined]
        grad = torch.ops.aten.threshold_backward(grads[0], y, 0)
        grad.view(len(scale_K11), -1, 1).mul_(scale_K11)
        return grad, None, None


class DropoutOfFit(nn.Module):
    """One fit's share of a `Dropout`, in that fit's own copy of the network: what comes in is (B, ...)."""

    def __init__(self, shared: Dropout, k: int) -> None:
        super().__init__()
        self._shared, self._k = [shared], k  # in a list: a module in an attribute would become a part of this one

    def forward(self, x: Tensor) -> Tensor:
        (shared,), k = self._shared, self._k
        if shared.activation is not None:
            x = FUNCTIONS[shared.activation](x)
        if not self.training or shared.rates[k] == 0:
            return x
        assert shared.bits is not None, "the step fills the bits before the forward pass"
        kept_BW = torch.empty(shared.bits.shape[1:], dtype=x.dtype, device=x.device)
        torch.le(shared.bits[k], shared.threshold[k], out=kept_BW)
        return x * kept_BW.mul_(shared.scale[k].to(x.dtype)).view(x.shape)


class DropoutOfTorch:
    """A layer of torch's own in each fit's copy: of whole channels (Dropout2d), or one that runs several times.

    Its noise comes from the generator that each copy's forward pass is seeded with.
    """

    width = 0

    def __init__(self, layers_K: list[nn.Module]) -> None:
        self._layers_K = layers_K
        self.own_rate = float(layers_K[0].p)  # type: ignore[arg-type]
        self.rates = [self.own_rate] * len(layers_K)

    def put(self, k: int, layer: nn.Module) -> None:
        """The layer of the copy that fit `k` now has."""
        self._layers_K[k] = layer
        layer.p = self.rates[k]  # type: ignore[assignment]

    def set_rates(self, rates_K: Sequence[float]) -> None:
        self.rates = list(rates_K)
        for layer, rate in zip(self._layers_K, rates_K, strict=True):
            layer.p = rate  # type: ignore[assignment]

    @property
    def is_on(self) -> bool:
        return any(rate > 0 for rate in self.rates)


def activation_of(layer: nn.Module) -> str | None:
    """What a dropout layer does before it drops."""
    return layer.activation if isinstance(layer, ActivationDropout) else None
