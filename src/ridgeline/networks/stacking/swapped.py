"""One module for K fits, K folded into the batch: its forward sees (K * B, ...), its layers with parameters are twins.

K fits, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from ridgeline.networks.stacking.dropouts import Dropout
from ridgeline.networks.stacking.rows import Rows
from ridgeline.networks.stacking.slots import owned
from ridgeline.networks.stacking.survey import Survey
from ridgeline.networks.stacking.twins import TWINS, LinearTwin


class Swapped(nn.Module):
    """Parameters and running statistics (K, ...) of the twins are views of the rows."""

    def __init__(self, module: nn.Module, survey: Survey, rows: Rows) -> None:
        super().__init__()
        self.k = k = len(rows.state_KS)
        dtype, device = rows.state_KS.dtype, rows.state_KS.device
        module.to(device=device, dtype=dtype)
        self.dropouts = [
            Dropout(k, site.width or 0, dtype=dtype, device=device, own_rate=site.rate, activation=site.activation)
            for site in survey.dropouts
        ]
        for site, dropout in zip(survey.dropouts, self.dropouts, strict=True):
            module.set_submodule(site.name, dropout)
        found = owned(module)
        paths = {name.rpartition(".")[0]: found[name][0] for name in rows.slots}
        twins = {path: TWINS[type(layer)](layer, k) for path, layer in paths.items()}
        bound = []
        for name, slot in rows.slots.items():
            path, _, own_name = name.rpartition(".")
            view_K, grad_K = rows.value_K(slot).data, rows.grad_K(slot)  # changes of others are none of its own
            if isinstance(found[name][2], nn.Parameter):
                parameter = nn.Parameter(view_K, requires_grad=grad_K is not None)
                twins[path].register_parameter(own_name, parameter)
                if grad_K is not None:
                    bound.append((parameter, grad_K))
            else:
                twins[path].register_buffer(own_name, view_K)
        for path, twin in twins.items():
            if path == "":
                module = twin
            else:
                module.set_submodule(path, twin)
        rows.bound = [bound]
        grads = {id(parameter): grad for parameter, grad in bound}
        for twin in twins.values():
            own = [grads[id(parameter)] for parameter in twin.parameters() if id(parameter) in grads]
            if own and isinstance(twin, LinearTwin):
                rows.written.append((twin.written, own))
            else:
                rows.added += own
        self.module = module
        self._twins = twins
        self._writes_input = survey.writes_input
        self._takes_leading_axes = getattr(module, "any_leading_axes", False)

    @property
    def factors(self) -> dict[str, Tensor]:
        """What the weights by these names are multiplied by in training."""
        factors = {f"{path}.weight".lstrip("."): twin.factors for path, twin in self._twins.items()}
        return {name: each for name, each in factors.items() if each is not None}

    @factors.setter
    def factors(self, factors: dict[str, Tensor]) -> None:
        for path, twin in self._twins.items():
            twin.factors = factors.get(f"{path}.weight".lstrip("."))

    def forward(self, x_KB: Tensor) -> Tensor:
        """Outputs (K, B, O) of examples (K, B, ...)."""
        if self._writes_input:
            x_KB = x_KB.clone()
        if self._takes_leading_axes:
            outputs: Tensor = self.module(x_KB)
            return outputs
        k, b = x_KB.shape[:2]
        return self.module(x_KB.flatten(0, 1)).view(k, b, -1)

    @contextmanager
    def outputs_of(self, names: Sequence[str]) -> Iterator[dict[str, list[Tensor]]]:
        """What these layers give, by name: a tensor a fit."""
        seen: dict[str, list[Tensor]] = {name: [] for name in names}

        def note(name: str, output: Tensor) -> None:
            own = output.detach().clone()
            is_folded = not self._takes_leading_axes or own.dim() < 3  # as the inputs of a table are, in any network
            seen[name] = list(own.unflatten(0, (self.k, -1)) if is_folded else own)

        handles = [
            self.module.get_submodule(name).register_forward_hook(lambda _, __, output, name=name: note(name, output))
            for name in names
        ]
        try:
            yield seen
        finally:
            for handle in handles:
                handle.remove()
