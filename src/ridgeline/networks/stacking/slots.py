"""Which tensors of a module each fit has its own of, and how they lie in a fit's row.

K fits, I incoming weights of each of O units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ridgeline.networks.layers.numbers import Periodic

Kind = Literal["weight", "parameter", "buffer"]

UNITS_FIRST = (
    nn.Linear,
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)
"""Layers whose weights have the units that they lead to as their first axis, but for transposed convolutions."""

UNITS_LAST = (nn.Embedding, nn.EmbeddingBag, Periodic)
"""A linear layer of one-hot inputs; of each number's own waves."""

WEIGHTS = ("weight", "weight_ih", "weight_hh", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
"""What these layers call their weights, and what such names begin with."""


@dataclass(frozen=True)
class Slot:
    """A tensor of one fit: its name and shape in the module's `state_dict`, and the order in which a row has its axes.

    A row has weights first, which are penalized, then the other parameters, then what is no parameter but kept with
    them: running statistics, frozen parameters. `units_at`: the place in the row's order of the axis that counts units,
    first or last; None: no unit has incoming weights of its own.
    """

    name: str
    shape: tuple[int, ...]
    order: tuple[int, ...]
    kind: Kind
    dtype: torch.dtype
    units_at: Literal["first", "last"] | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape in a row."""
        return tuple(self.shape[axis] for axis in self.order)

    def as_in_module(self, stored: Tensor) -> Tensor:
        """A view with the module's shape of a tensor that has the row's; leading axes stay."""
        if len(self.order) < 2:
            return stored
        leading = stored.dim() - len(self.order)
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return stored.permute(*range(leading), *(leading + axis for axis in back))

    def by_unit(self, stored_K: Tensor) -> Tensor | None:
        """A view (K, I, O)."""
        if self.units_at is None:
            return None
        k = len(stored_K)
        if self.units_at == "last":
            return stored_K.flatten(1, -2) if stored_K.dim() > 2 else stored_K.unsqueeze(1)
        return stored_K.reshape(k, stored_K.shape[1], -1).transpose(1, 2)  # contiguous in a row: a view


def owned(module: nn.Module) -> dict[str, tuple[nn.Module, str, Tensor]]:
    """Each parameter and buffer once, under its first name: the module that has it, its name there, itself."""
    found: dict[str, tuple[nn.Module, str, Tensor]] = {}
    seen = set[int]()
    for path, own in module.named_modules():
        for name, tensor in [*own._parameters.items(), *own._buffers.items()]:
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                found[f"{path}.{name}" if path else name] = own, name, tensor
    return found


def is_weight(owner: nn.Module, name: str) -> bool:
    """Of a layer that sums over what comes in. Of a weight that spectral_norm divides, what is divided."""
    if isinstance(owner, nn.utils.parametrize.ParametrizationList):
        return name == "original"
    of_layer = isinstance(owner, (*UNITS_FIRST, *UNITS_LAST))
    return of_layer and name.startswith(WEIGHTS) and name not in ("weight_g", "weight_v")


def units_at(owner: nn.Module) -> Literal["first", "last"] | None:
    if isinstance(owner, nn.modules.conv._ConvTransposeNd):
        return "first" if owner.groups == 1 else None
    return "last" if isinstance(owner, UNITS_LAST) else "first"


def order_of(owner: nn.Module, shape: Sequence[int], channels_last: bool) -> tuple[int, ...]:
    """Of the axes in a row: those of units first, channels last in the images of a convolution that wants them so."""
    axes = tuple(range(len(shape)))
    if len(shape) < 2:
        return axes
    if isinstance(owner, nn.modules.conv._ConvTransposeNd) and owner.groups == 1:
        return (1, 0, *axes[2:])
    if channels_last and isinstance(owner, nn.Conv2d):
        return (0, 2, 3, 1)
    return axes
