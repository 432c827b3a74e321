"""What the regularizers act on in a LightningModule of anyone's: its weights and its dropout layers.

The weights are those of `networks.stacking.slots`: of layers that sum over what comes in, never biases and norms. A
tensor that several layers share is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ridgeline.networks.stacking.slots import Kind, Slot, is_weight, order_of, units_at


@dataclass(frozen=True)
class Part:
    """A tensor of a module, and its place in a row."""

    slot: Slot
    tensor: Tensor

    @property
    def is_parameter(self) -> bool:
        return self.slot.kind != "buffer"


def parts_of(module: nn.Module, parameters: Iterable[Tensor]) -> list[Part]:
    """These parameters of a module, weights first, then the running statistics of its normalization layers."""
    wanted = {id(tensor) for tensor in parameters}
    found: dict[int, Part] = {}
    for part in _parts(module):
        known = found.get(id(part.tensor))
        is_wanted = id(part.tensor) in wanted or not part.is_parameter
        if is_wanted and (known is None or (known.slot.kind != "weight" and part.slot.kind == "weight")):
            found[id(part.tensor)] = part
    kinds = ("weight", "parameter", "buffer")
    return [part for kind in kinds for part in found.values() if part.slot.kind == kind]


def dropouts_of(module: nn.Module) -> list[nn.modules.dropout._DropoutNd]:
    """In the order in which the module has them."""
    return [own for own in module.modules() if isinstance(own, nn.modules.dropout._DropoutNd)]


def _parts(module: nn.Module) -> Iterator[Part]:
    """Each under every name and owner that it has."""
    for path, own in module.named_modules():
        for name, tensor in own._parameters.items():
            if tensor is not None:
                yield _part(path, own, name, tensor, "weight" if is_weight(own, name) else "parameter")
        if isinstance(own, nn.modules.batchnorm._NormBase):
            for name, buffer in own._buffers.items():
                if buffer is not None and buffer.is_floating_point():  # not the count of batches
                    yield _part(path, own, name, buffer, "buffer")


def _part(path: str, owner: nn.Module, name: str, tensor: Tensor, kind: Kind) -> Part:
    units = units_at(owner) if kind == "weight" else None
    order = order_of(owner, tensor.shape, channels_last=False)
    name = f"{path}.{name}" if path else name
    return Part(Slot(name, tuple(tensor.shape), order, kind, tensor.dtype, units), tensor)


def row_dtype(parts: Iterable[Part]) -> torch.dtype:
    """The type of a row that holds them all: float32, or a longer one that some of them have."""
    dtype = torch.float32
    for part in parts:
        dtype = torch.promote_types(dtype, part.tensor.dtype)
    return dtype
