"""Adam, AdamW and SGD over all rows in one call, for devices on which a call costs more than a pass over memory.

K fits, P parameters of one fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.config import Config, OptimizerConfig
from ridgeline.networks.stacking.rows import Rows
from ridgeline.stack.step_sizes import adam_correction, of_adam_, of_sgd


class WholeOptimizer:
    """What `RowOptimizer` is on a CPU, with the same formulas: see torch.optim.

    torch's fused optimizers take one rate, one decay and one step count a parameter group, so fits that differ in them
    are a call each. Here they are columns beside (K, P) rows, so that a step is as many operations for 256 fits as for
    one. The l2 penalty's gradient joins the others before it.
    """

    numbers_RK: Tensor
    """What `numbers` gave, on the device."""

    def __init__(self, shared: OptimizerConfig, rows: Rows) -> None:
        k = len(rows.values_KP)
        self._shared, self._rows = shared, rows
        self._lr_K, self._decays_K, self._momenta_K = [shared.lr] * k, [0.0] * k, [0.0] * k
        self._parameter = nn.Parameter(rows.values_KP)
        self.torch_optimizer: torch.optim.Optimizer = _Whole(self._parameter, shared.lr, self.step_)
        for name in ("momentum_buffer",) if shared.name == "sgd" else ("exp_avg", "exp_avg_sq"):
            self._state[name] = torch.zeros_like(rows.values_KP)

    @property
    def moments(self) -> list[Tensor]:
        """What a step changes beside the values."""
        return list(self._state.values())

    @property
    def _state(self) -> dict[str, Tensor]:
        """Asked for each time: a checkpoint brings tensors of its own."""
        state: dict[str, Tensor] = self.torch_optimizer.state[self._parameter]
        return state

    def adds_l2(self, config: Config) -> bool:
        """Whether a fit's l2 gradient is the optimizer's to add."""
        return False

    def set_l2(self, l2_K: Sequence[float]) -> None:
        """Nothing: it adds none."""

    def load(self, k: int, config: Config) -> None:
        """A fresh fit in row `k`: no momentum, its own knobs. Its steps are those of its record."""
        self._lr_K[k] = config.optimizer.lr
        if self._shared.name == "sgd":
            self._momenta_K[k] = config.optimizer.momentum
        if self._shared.name == "adamw":
            self._decays_K[k] = config.optimizer.weight_decay
        for moment_KP in self._state.values():
            moment_KP[k] = 0.0

    def set(self, lr_K: Sequence[float]) -> None:
        """A learning rate a row, for the steps to come."""
        self._lr_K = list(lr_K)
        self.torch_optimizer.param_groups[0]["lr"] = lr_K[0]  # which callbacks of a fit alone look at

    def numbers(self, steps_K: Sequence[int]) -> Sequence[Sequence[float]]:
        """What the step that follows so many of each row needs: rows of a number a fit."""
        if self._shared.name == "sgd":
            sizes = [of_sgd(lr, momentum) for lr, momentum in zip(self._lr_K, self._momenta_K, strict=True)]
            return [-lr for lr in self._lr_K], self._momenta_K, sizes
        of_step = {step: self._corrections(step + 1) for step in set(steps_K)}
        first_K, second_K = zip(*(of_step[step] for step in steps_K), strict=True)
        moves = [-lr * first for lr, first in zip(self._lr_K, first_K, strict=True)]
        kept = [1 - lr * decay for lr, decay in zip(self._lr_K, self._decays_K, strict=True)]
        return moves, second_K, kept, self._lr_K

    def step_sizes_KW(self, n: int, steps_K: Sequence[int]) -> Tensor:
        """By how much a step moves each of a row's first `n` values for a lasting gradient of 1; (K, 1) if all alike.

        `steps` counts each row's steps, the last included.
        """
        if self._shared.name == "sgd":
            return self.numbers_RK[2].unsqueeze(1).clone()
        _, correction_K1, _, lr_K1 = self.numbers_RK.unsqueeze(2).unbind()
        return of_adam_(self._state["exp_avg_sq"][:, :n].clone(), lr_K1, correction_K1, self._shared.eps)

    def _corrections(self, steps: int) -> tuple[float, float]:
        """Of both moments, which began at 0."""
        first, second = self._shared.betas
        return 1 / (1 - first**steps), adam_correction(second, steps)

    @torch.no_grad()
    def step_(self) -> None:
        values_KP, grads_KP, columns_RK1 = self._rows.values_KP, self._rows.grads_KP, self.numbers_RK.unsqueeze(2)
        state = self._state
        if self._shared.name == "sgd":
            moves_K1, momenta_K1, _ = columns_RK1.unbind()
            velocity_KP = state["momentum_buffer"].mul_(momenta_K1).add_(grads_KP)
            by_KP = grads_KP.addcmul(velocity_KP, momenta_K1) if self._shared.nesterov else velocity_KP
            values_KP.addcmul_(by_KP, moves_K1)
            return
        moves_K1, corrections_K1, kept_K1, _ = columns_RK1.unbind()
        if self._shared.name == "adamw":
            values_KP.mul_(kept_K1)
        beta1, beta2 = self._shared.betas
        mean_KP = state["exp_avg"].lerp_(grads_KP, 1 - beta1)
        square_KP = state["exp_avg_sq"].mul_(beta2).addcmul_(grads_KP, grads_KP, value=1 - beta2)
        root_KP = square_KP.sqrt().mul_(corrections_K1).add_(self._shared.eps)
        values_KP.addcmul_(torch.div(mean_KP, root_KP, out=root_KP), moves_K1)


class _Whole(torch.optim.Optimizer):
    """What Lightning and a checkpoint know of it."""

    def __init__(self, parameter: nn.Parameter, lr: float, own_step: Callable[[], None]) -> None:
        self._own_step = own_step
        super().__init__([parameter], {"lr": lr})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A closure that gives anything has done the step itself, with all that comes before it."""
        given = None
        if closure is not None:
            with torch.enable_grad():
                given = closure()
        if given is None:
            self._own_step()
        return given
