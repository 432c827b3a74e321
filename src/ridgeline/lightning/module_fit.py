"""What an optimizer of a LightningModule trains, as the effects of `ridgeline.regularizers` see it: a stack of one fit.

The module keeps its parameters where they are. Before the effects act, its numbers are copied into a row, and what the
effects changed is copied back: so each effect is the one that acts on K fits, and none of them knows of modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ridgeline.config import Config, ConfigError
from ridgeline.lightning.parts import Part, parts_of, row_dtype
from ridgeline.networks.stacking.dropouts import Dropout, DropoutOfTorch
from ridgeline.networks.stacking.network import Weight
from ridgeline.networks.stacking.noise import KeyedNoise
from ridgeline.networks.stacking.rows import Rows
from ridgeline.regularizers import Effect
from ridgeline.stack.step_sizes import adam_correction, of_adam_, of_sgd

if TYPE_CHECKING:
    from torch.optim import Optimizer

KNOWN_STEPS = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
"""Optimizers, by their exact type, whose step sizes are known."""


class ModuleFit:
    """`regularizers.effect.Fits` of one optimizer of a module. `dropouts`: the module's layers, which one of its
    optimizers has, with its running statistics; None: another one has them."""

    splits = None

    def __init__(
        self, config: Config, module: nn.Module, optimizer: Optimizer, dropouts: Sequence[DropoutOfTorch] | None
    ) -> None:
        self.torch_optimizer, self.configs, self.step = optimizer, [config], 0
        parts = parts_of(module, _parameters_of(optimizer))
        self._parts = [part for part in parts if dropouts is not None or part.is_parameter]
        dtype, device = row_dtype(self._parts), self._parts[0].tensor.device if self._parts else torch.device("cpu")
        self.rows = Rows([part.slot for part in self._parts], 1, dtype=dtype, device=device)
        self._values = {part.slot.name: self._in_row(part, self.rows.value_K(part.slot)) for part in self._parts}
        self._grads = {part.slot.name: self._in_row(part, self.rows.grad_K(part.slot)) for part in self._trained}
        self.n_penalized = self.rows.n_weights
        self.network = _Layers(self.rows, dropouts or [])
        self.optimizer = _StepSizes(self)
        self.noise = KeyedNoise(device)
        self._stepping: list[Part] = []
        self.read()

    @property
    def seeds(self) -> list[int]:
        return [self.configs[0].seed]

    @property
    def steps(self) -> list[int]:
        return [self.step]

    def numbers_K(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.rows.state_KS.dtype, device=self.rows.state_KS.device)

    @property
    def is_current(self) -> bool:
        """Whether the optimizer has the parameters that it began with: a callback may give it more."""
        return {id(p) for p in _parameters_of(self.torch_optimizer)} == {id(part.tensor) for part in self._trained}

    @property
    def weights(self) -> list[Part]:
        return [part for part in self._parts if part.slot.kind == "weight"]

    # Between module and row ------------------------------------------------------------------------------------------

    def read(self) -> None:
        """The module's numbers into the row."""
        torch._foreach_copy_([*self._values.values()], [part.tensor.detach() for part in self._parts])

    def begin_step(self) -> bool:
        """Whether there is a gradient, and so a step, of all parameters that are not frozen."""
        trained = [part for part in self._trained if part.tensor.requires_grad]
        self._stepping = trained if any(part.tensor.grad is not None for part in trained) else []
        return len(self._stepping) > 0

    def read_gradients(self, scale: float) -> None:
        """The gradients into the row, divided by `scale`.

        A parameter that the loss did not reach has one of 0, to which penalties are added as to any other.
        """
        self.rows.grads_KP.zero_()
        with_gradient = [part for part in self._stepping if part.tensor.grad is not None]
        own = [self._grads[part.slot.name] for part in with_gradient]
        torch._foreach_copy_(own, [part.tensor.grad for part in with_gradient])  # type: ignore[misc]
        if scale != 1:
            self.rows.grads_KP.div_(scale)

    def write_gradients(self, scale: float) -> None:
        """What the row has for the parameters that make a step, multiplied by `scale`, into the module."""
        if scale != 1:
            self.rows.grads_KP.mul_(scale)
        for part in self._stepping:
            if part.tensor.grad is None:
                part.tensor.grad = torch.zeros_like(part.tensor)
        own = [self._grads[part.slot.name] for part in self._stepping]
        torch._foreach_copy_([part.tensor.grad for part in self._stepping], own)  # type: ignore[misc]

    def write_stepped(self) -> None:
        """The row's numbers of the parameters that made a step, into the module."""
        self._write(self._stepping)

    def write(self) -> None:
        """All of the row's numbers into the module."""
        self._write(self._parts)

    def _write(self, parts: Sequence[Part]) -> None:
        torch._foreach_copy_([part.tensor.detach() for part in parts], [self._values[part.slot.name] for part in parts])

    @property
    def _trained(self) -> list[Part]:
        return [part for part in self._parts if part.is_parameter]

    @staticmethod
    def _in_row(part: Part, stored_K: Tensor | None) -> Tensor:
        """A view of the row with the tensor's own shape."""
        assert stored_K is not None, "a parameter has a gradient"
        return part.slot.as_in_module(stored_K[0])


class _Layers:
    """The module's layers, as far as effects that act on modules ask for them."""

    def __init__(self, rows: Rows, dropouts: Sequence[DropoutOfTorch]) -> None:
        self.rows = rows
        self.weights = [Weight(slot.name, slot, rows) for slot in rows.slots.values() if slot.kind == "weight"]
        no_inputs = Dropout(1, 0, dtype=rows.state_KS.dtype, device=rows.state_KS.device)
        self.noisy_layers = [*dropouts, no_inputs]


class _StepSizes:
    """The module's optimizer, as far as effects ask for it: see `stack.optimizers.RowOptimizer`."""

    def __init__(self, fit: ModuleFit) -> None:
        self._fit = fit

    def adds_l2(self, config: Config) -> bool:
        return False

    def set_l2(self, l2_K: Sequence[float]) -> None:
        """Nothing: it adds none."""

    def step_sizes_KW(self, n: int, steps_K: Sequence[int]) -> Tensor:
        """Of the first `n` values of the row, which are weights; each parameter group has its own settings."""
        rows, optimizer = self._fit.rows, self._fit.torch_optimizer
        sizes_KW = torch.zeros_like(rows.values_KP[:, :n])
        groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
        for part in self._fit.weights:
            stored = sizes_KW[:, rows.places[part.slot.name]].view(-1, *part.slot.stored)
            size = part.slot.as_in_module(stored[0])
            _put_size(size, optimizer, part.tensor, groups[id(part.tensor)])
        return sizes_KW


def _put_size(size: Tensor, optimizer: Optimizer, parameter: Tensor, group: dict[str, Any]) -> None:
    """How far a lasting gradient of 1 moves a parameter: 0 where it has made no step."""
    lr, state = float(group["lr"]), optimizer.state.get(parameter, {})
    if isinstance(optimizer, torch.optim.SGD):
        size.fill_(of_sgd(lr, group["momentum"]))
    elif "exp_avg_sq" in state:
        correction = adam_correction(group["betas"][1], float(state["step"]))
        size.copy_(state["exp_avg_sq"])
        of_adam_(size, size.new_tensor(lr), size.new_tensor(correction), group["eps"])


def require_known_steps(optimizer: Optimizer, config: Config) -> None:
    """Raise ConfigError where l1 would take proximal steps in sizes that are not known."""
    own = config.regularization
    if own.l1 == 0 or own.l1_form == "subgradient":
        return
    odd = [name for name in ("amsgrad", "maximize", "dampening") if any(g.get(name) for g in optimizer.param_groups)]
    if type(optimizer) not in KNOWN_STEPS or odd:
        known = ", ".join(kind.__name__ for kind in KNOWN_STEPS)
        rule = f"regularization.l1_form == subgradient where regularization.l1 > 0 with an optimizer but {known}"
        shown = " ".join([type(optimizer).__name__, *odd])
        raise ConfigError(f"`{rule}` must hold, but got regularization.l1_form={own.l1_form} with {shown}.")


def acts_at(effect: Effect, moment: str) -> bool:
    """Whether an effect does anything at this moment."""
    return getattr(type(effect), moment) is not getattr(Effect, moment)


def _parameters_of(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
