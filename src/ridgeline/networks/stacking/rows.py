"""All that a fit has of its own in one contiguous row: what per-fit optimizers, penalties and best weights work on.

K fits, P parameters of one fit, W of them weights (the first W of a row), S its whole state: running statistics too.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ridgeline.networks.stacking.products import Written
from ridgeline.networks.stacking.slots import Slot

# Rows lie further apart than a tensor's own layout has them: torch says so once, and that it may be slower.
warnings.filterwarnings("ignore", message="grad and param do not obey the gradient layout contract")


ALIGNED = 32
"""Numbers, 128 bytes: a GPU reads so many at once, and its products want matrices to begin there."""


def alignment(device: torch.device) -> int:
    """On a CPU, whose bits and caches have them dense, tensors lie one after the other."""
    return 1 if device.type == "cpu" else ALIGNED


class Rows:
    """`bound` and `written` are filled in by the network whose modules' parameters are views of the rows.

    Elsewhere than on a CPU each tensor of each fit begins at a multiple of `ALIGNED` numbers; between them are zeros,
    which have no gradient and stay.
    """

    def __init__(self, slots: Sequence[Slot], k: int, *, dtype: torch.dtype, device: torch.device) -> None:
        self.slots = {slot.name: slot for slot in slots}
        multiple = alignment(device)
        self.places: dict[str, slice] = {}
        end = self.n_weights = n_parameters = 0
        for slot in slots:
            self.places[slot.name] = place = slice(end, end + slot.size)
            end = -(-place.stop // multiple) * multiple
            self.n_weights = place.stop if slot.kind == "weight" else self.n_weights
            n_parameters = end if slot.kind != "buffer" else n_parameters
        self.state_KS = torch.zeros(k, end, dtype=dtype, device=device)
        self.values_KP = self.state_KS[:, :n_parameters]
        self.grads_KP = torch.zeros_like(self.state_KS)[:, :n_parameters]  # as far apart as the values are
        self.bound: list[list[tuple[nn.Parameter, Tensor]]] = []
        """Parameters and their gradients, in one list or in one a fit."""
        self.written: list[tuple[Written, list[Tensor]]] = []
        """Of layers that write their gradients themselves: which ones."""
        self.added: list[Tensor] = []
        """Gradients that autograd adds to."""

    @functools.cached_property
    def used_P(self) -> Tensor | None:
        """1 where a row of parameters has a number, 0 between its tensors; None where nothing is between them."""
        parameters = [slot for slot in self.slots.values() if slot.kind != "buffer"]
        if sum(slot.size for slot in parameters) == self.values_KP.shape[1]:
            return None
        used_P = torch.zeros_like(self.values_KP[0])
        for slot in parameters:
            used_P[self.places[slot.name]] = 1.0
        return used_P

    @property
    def weights_KW(self) -> Tensor:
        return self.values_KP[:, : self.n_weights]

    def value_K(self, slot: Slot) -> Tensor:
        """A view (K, ...) with the row's own order of axes."""
        return self.state_KS[:, self.places[slot.name]].view(-1, *slot.stored)

    def grad_K(self, slot: Slot) -> Tensor | None:
        return None if slot.kind == "buffer" else self.grads_KP[:, self.places[slot.name]].view(-1, *slot.stored)

    def parameters_of(self, k: int) -> list[nn.Parameter]:
        """Those of one fit in the module's own shapes: views of its row, as their gradients are of the other one."""
        parameters = []
        for slot in self.slots.values():
            grad_K = self.grad_K(slot)
            if grad_K is not None:
                parameters.append(nn.Parameter(slot.as_in_module(self.value_K(slot)[k].detach())))
                parameters[-1].grad = slot.as_in_module(grad_K[k])
        return parameters

    def differentiate(self, losses_K: Tensor) -> None:
        """Overwrite the gradient rows: d loss_k / d row_k. The sum keeps fits apart: no loss depends on another row."""
        for own in self.bound:
            for parameter, grad in own:  # anew each time: Lightning sets them to None when it starts
                parameter.grad = grad
        if self.added:
            torch._foreach_zero_(self.added)
        for written, _ in self.written:
            written.is_so = False
        losses_K.sum().backward()
        for written, grads in self.written:
            if not written.is_so:  # the layer did not run
                torch._foreach_zero_(grads)
                written.is_so = True

    def clip_gradients_(self, max_norm_K: Tensor) -> None:
        """Scale each fit's gradient down to its own largest norm; infinity leaves it as it is."""
        norm_K = torch.linalg.vector_norm(self.grads_KP, dim=1)
        # As in torch.nn.utils.clip_grad_norm_; infinite limits would give inf / inf where a gradient overflows.
        factor_K = torch.where(max_norm_K.isinf(), 1.0, (max_norm_K / (norm_K + 1e-6)).clamp(max=1.0))
        self.grads_KP.mul_(factor_K.unsqueeze(1))

    def unpack(self, row_S: Tensor) -> dict[str, Tensor]:
        """A row as the module's own `state_dict` has it, on the CPU; of a row of gradients, the parameters'."""
        tensors: dict[str, Tensor] = {}
        for name, slot in self.slots.items():
            if self.places[name].stop > len(row_S):
                continue
            stored = row_S[self.places[name]].view(slot.stored).detach().cpu().clone()
            tensor = slot.as_in_module(stored).contiguous()
            tensors[name] = tensor if slot.dtype.is_floating_point else tensor.round().to(slot.dtype)
        return tensors

    @torch.no_grad()
    def put_(self, k: int, tensors: dict[str, Tensor]) -> None:
        """Into row `k`: tensors that the module's `state_dict` names; those of others are left out."""
        for name, slot in self.slots.items():
            slot.as_in_module(self.value_K(slot)[k]).copy_(tensors[name])
