"""Images with their channels last for authors who view them as flat rows, which torch then refuses.

Convolutions take half of the time so on a CPU. B batch.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ridgeline.networks.stacking import randomness

ChannelsLast = Literal["no", "as it is", "with copies"]
"""Whether images may lie so, and whether a view of them has to be a copy."""

EQUAL = 1e-4
"""Relative to the largest output: above rounding, which the order of a convolution's sums changes."""


class CopyingViews(TorchFunctionMode):
    """While it is entered, `x.view(shape)` gives a copy in the order of the axes where x lies in another order."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is not Tensor.view:
            return func(*args, **kwargs)
        try:
            return func(*args, **kwargs)
        except RuntimeError:
            return torch.Tensor.reshape(*args, **kwargs)  # raises the same where no order of axes would do


def channels_last_of(module: nn.Module, x_B: Tensor) -> ChannelsLast:
    """Of a network with convolutions. One that writes into a copied view, and reads what it is a view of, would be
    another network: hence its outputs are compared."""
    if x_B.dim() != 4 or not any(isinstance(own, nn.Conv2d) for own in module.modules()):
        return "no"
    if _outputs(module, x_B.to(memory_format=torch.channels_last)) is not None:
        return "as it is"
    with CopyingViews():
        outputs_BO = _outputs(module, x_B.to(memory_format=torch.channels_last))
    expected_BO = _outputs(module, x_B)
    if outputs_BO is None or expected_BO is None or outputs_BO.shape != expected_BO.shape:
        return "no"
    largest = float(expected_BO.abs().max()) if expected_BO.numel() else 0.0
    same = torch.allclose(outputs_BO, expected_BO, rtol=0, atol=EQUAL * largest)
    return "with copies" if same else "no"


def _outputs(module: nn.Module, x_B: Tensor) -> Tensor | None:
    """Of a copy of the module that has drawn nothing yet; None where its code asks for another order of axes."""
    randomness.seed_all(0)
    try:
        outputs = copy.deepcopy(module).eval()(x_B.clone())
    except RuntimeError:
        return None
    return outputs.detach() if isinstance(outputs, Tensor) else torch.empty(0)  # which is refused for what it is
