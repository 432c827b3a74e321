"""K copies of an ordinary module, one after another in the same step: always right.

K fits, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.networks.stacking import randomness
from ridgeline.networks.stacking.dropouts import Dropout, DropoutOfFit, DropoutOfTorch
from ridgeline.networks.stacking.rows import Rows
from ridgeline.networks.stacking.slots import owned
from ridgeline.networks.stacking.survey import Survey
from ridgeline.networks.stacking.views import CopyingViews


class Looped(nn.Module):
    """Parameters and running statistics of copy k are views of row k."""

    def __init__(self, modules: Sequence[nn.Module], survey: Survey, rows: Rows) -> None:
        super().__init__()
        self._survey, self._rows = survey, rows
        self.copies = nn.ModuleList(modules)
        self.noise_keys = [0] * len(modules)
        self.puts = 0
        self.factors: dict[str, Tensor] = {}
        dtype, device = rows.state_KS.dtype, rows.state_KS.device
        rows.bound = [[] for _ in modules]
        self._buffers_of: list[list[tuple[nn.Module, str, Tensor]]] = [[] for _ in modules]
        rows.added = [rows.grads_KP]
        self.dropouts: list[Dropout | DropoutOfTorch] = [
            DropoutOfTorch([module.get_submodule(site.name) for module in modules])
            if site.width is None
            else Dropout(
                len(modules),
                site.width,
                dtype=dtype,
                device=device,
                own_rate=site.rate,
                activation=site.activation,
            )
            for site in survey.dropouts
        ]
        for k, module in enumerate(modules):
            self.put(k, module)

    def put(self, k: int, module: nn.Module) -> None:
        """A freshly made module becomes the copy of fit `k`, and its tensors the row's."""
        dtype, device = self._rows.state_KS.dtype, self._rows.state_KS.device
        for site, dropout in zip(self._survey.dropouts, self.dropouts, strict=True):
            if isinstance(dropout, DropoutOfTorch):
                dropout.put(k, module.get_submodule(site.name))
            else:
                module.set_submodule(site.name, DropoutOfFit(dropout, k))
        module.to(device=device, dtype=dtype).train(self.training)
        bound, buffers = [], []
        found = owned(module)
        for name, slot in self._rows.slots.items():
            owner, own_name, tensor = found[name]
            view = slot.as_in_module(self._rows.value_K(slot)[k])
            with torch.no_grad():
                view.copy_(tensor)
            if isinstance(tensor, nn.Parameter):
                tensor.data = view
                grad_K = self._rows.grad_K(slot)
                if grad_K is not None:
                    bound.append((tensor, slot.as_in_module(grad_K[k])))
            else:
                view = view.data  # or a step of one fit's would count as a change of what autograd keeps of another's
                owner._buffers[own_name] = view
                buffers.append((owner, own_name, view))
        self._rows.bound[k], self._buffers_of[k] = bound, buffers
        self.copies[k] = module
        self.puts += 1

    def forward(self, x_KB: Tensor) -> Tensor:
        """Outputs (K, B, O) of examples (K, B, ...)."""
        outputs, may_draw = [], self._survey.why_other_steps is not None
        with (
            randomness.restored() if may_draw else nullcontext(),
            CopyingViews() if self._survey.copies_views else nullcontext(),
        ):
            for k, (copy, x_B) in enumerate(zip(self.copies, x_KB, strict=True)):
                if may_draw:
                    randomness.seed_all(self.noise_keys[k] if self.training else 0)
                if self._survey.channels_last:
                    x_B = x_B.contiguous(memory_format=torch.channels_last)
                if self._survey.writes_input:
                    x_B = x_B.clone()
                outputs.append(self._outputs(k, copy, x_B))
                if self.training:
                    self._keep_buffers(k)
        return torch.stack(outputs)

    def _outputs(self, k: int, copy: nn.Module, x_B: Tensor) -> Any:
        if not (self.training and self.factors):
            return copy(x_B)
        weights = {
            name: owned(copy)[name][2] * self._rows.slots[name].as_in_module(factors_K[k])
            for name, factors_K in self.factors.items()
        }
        return torch.func.functional_call(copy, weights, (x_B,))

    @torch.no_grad()
    def _keep_buffers(self, k: int) -> None:
        """A tensor that the author's code has put in a buffer's place goes into the row all the same."""
        for owner, name, view in self._buffers_of[k]:
            now = owner._buffers[name]
            if now is not None and now is not view:
                owner._buffers[name] = view.copy_(now)

    @contextmanager
    def outputs_of(self, names: Sequence[str]) -> Iterator[dict[str, list[Tensor]]]:
        """What these layers give, by name: a tensor a fit."""
        seen: dict[str, list[Tensor]] = {name: [] for name in names}
        handles = [
            copy.get_submodule(name).register_forward_hook(
                lambda _, __, output, name=name: seen[name].append(output.detach().clone())
            )
            for copy in self.copies
            for name in names
        ]
        try:
            yield seen
        finally:
            for handle in handles:
                handle.remove()
