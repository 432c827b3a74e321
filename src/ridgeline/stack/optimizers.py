"""torch.optim's optimizers over K rows: a rate, a decay, a momentum and a step count a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ridgeline.config import Config, OptimizerConfig
from ridgeline.config.optimizer import OwnOptimizerConfig
from ridgeline.networks.stacking.rows import Rows
from ridgeline.stack.own_optimizer import OwnRowOptimizer
from ridgeline.stack.step_sizes import adam_correction, of_adam_, of_sgd
from ridgeline.stack.whole_optimizer import WholeOptimizer

LONG_ROW = 100_000
"""Weights of a fit from which a pass over them for the l2 penalty costs more than a call of the optimizer a fit."""


class RowOptimizer:
    """The fused optimizer that `shared` names, with its betas and eps; `load`, `set_l2` and `set` give a row its own.

    Rows whose knobs are equal at the moment share a parameter group, for each group is a call of its own. A row's step
    count and momentum are its own in any group, and in a checkpoint each row has a group. Long rows have the l2
    penalty's gradient, l2 * W for the first `n_penalized` weights, added by the optimizer, where it is called
    weight_decay: see `adds_l2`.
    """

    def __init__(self, shared: OptimizerConfig, rows: Rows, n_penalized: int) -> None:
        self._shared = shared
        self._is_long = rows.n_weights >= LONG_ROW and shared.name != "adamw"  # AdamW's decay is another thing
        parts = [slice(None)] if not self._is_long else [slice(n_penalized), slice(n_penalized, None)]
        self._parts = [
            [_parameter(values_P[part], grads_P[part]) for part in parts]
            for values_P, grads_P in zip(rows.values_KP, rows.grads_KP, strict=True)
        ]
        self._knobs: list[list[dict[str, float]]] = [[{} for _ in parts] for _ in self._parts]
        self._adds_l2 = [False] * len(self._parts)
        every = [part for row in self._parts for part in row]
        self.torch_optimizer: torch.optim.Optimizer
        if shared.name == "sgd":
            momentum, nesterov = shared.momentum, shared.nesterov
            self.torch_optimizer = torch.optim.SGD(every, momentum=momentum, nesterov=nesterov, fused=True)
        else:
            kind = torch.optim.Adam if shared.name == "adam" else torch.optim.AdamW
            betas = (shared.betas[0], shared.betas[1])
            self.torch_optimizer = kind(every, betas=betas, eps=shared.eps, fused=True)
        # What is saved and what is loaded into have the same groups, whichever rows share one when that happens.
        self.torch_optimizer.register_state_dict_pre_hook(lambda _: self._ungroup())
        self.torch_optimizer.register_load_state_dict_pre_hook(lambda *_: self._ungroup())

    def adds_l2(self, config: Config) -> bool:
        """Whether a fit's l2 gradient is the optimizer's to add. A clipped gradient has it before it is clipped."""
        return self._is_long and config.optimizer.gradient_clip_val is None

    def load(self, k: int, config: Config) -> None:
        """A fresh fit in row `k`: no momentum, step 0, its own knobs."""
        knobs = {"lr": config.optimizer.lr, "weight_decay": 0.0}
        if self._shared.name == "sgd":
            knobs["momentum"] = config.optimizer.momentum
        if self._shared.name == "adamw":
            knobs["weight_decay"] = config.optimizer.weight_decay
        self._knobs[k] = [dict(knobs) for _ in self._parts[k]]
        self._adds_l2[k] = self.adds_l2(config)
        for part in self._parts[k]:
            self.torch_optimizer.state.pop(part, None)
            if knobs.get("momentum"):  # torch makes a buffer only where no row of the group has one yet
                self.torch_optimizer.state[part]["momentum_buffer"] = torch.zeros_like(part)

    def set_l2(self, l2_K: Sequence[float]) -> None:
        """The penalty of each row whose gradient this adds, from the next `set` on; 0 for the others."""
        for row_knobs, adds, l2 in zip(self._knobs, self._adds_l2, l2_K, strict=True):
            if adds:
                row_knobs[0]["weight_decay"] = l2  # of the penalized weights, the first part

    def set(self, lr_K: Sequence[float]) -> None:
        """A learning rate a row, for the steps to come; knobs that were loaded take effect here too."""
        groups: dict[tuple[float, ...], dict[str, Any]] = {}
        for k, (row, row_knobs) in enumerate(zip(self._parts, self._knobs, strict=True)):
            for part, knobs in zip(row, row_knobs, strict=True):
                knobs["lr"] = lr_K[k]
                groups.setdefault(tuple(knobs.values()), self._group(knobs))["params"].append(part)
        self.torch_optimizer.param_groups[:] = groups.values()  # in place: Lightning holds this list too

    def _ungroup(self) -> None:
        """A group for each row, in the rows' order, until `set` puts equal ones together again."""
        rows = zip(self._parts, self._knobs, strict=True)
        groups = [self._group(knobs, part) for row, own in rows for part, knobs in zip(row, own, strict=True)]
        self.torch_optimizer.param_groups[:] = groups

    def _group(self, knobs: dict[str, float], *parts: torch.nn.Parameter) -> dict[str, Any]:
        return {**self.torch_optimizer.defaults, **knobs, "params": list(parts)}

    def step_sizes_KW(self, n: int, steps_K: Sequence[int]) -> Tensor:
        """By how much a step moves each of a row's first `n` values for a lasting gradient of 1; (K, 1) if all alike.

        `steps` counts each row's steps, the last included.
        """
        lr_K = [knobs[0]["lr"] for knobs in self._knobs]
        if self._shared.name == "sgd":
            return self._column_K1(
                [of_sgd(lr, knobs[0]["momentum"]) for lr, knobs in zip(lr_K, self._knobs, strict=True)]
            )
        sizes_KW = torch.stack([self.torch_optimizer.state[row[0]]["exp_avg_sq"][:n] for row in self._parts])
        corrections_K1 = self._column_K1([adam_correction(self._shared.betas[1], steps) for steps in steps_K])
        return of_adam_(sizes_KW, self._column_K1(lr_K), corrections_K1, self._shared.eps)

    def _column_K1(self, values_K: Sequence[float]) -> Tensor:
        example = self._parts[0][0]
        return torch.tensor(values_K, dtype=example.dtype).to(example.device, non_blocking=True).unsqueeze(1)


def _parameter(values_P: Tensor, grads_P: Tensor) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(values_P)
    parameter.grad = grads_P
    return parameter


def optimizer_for(
    shared: OptimizerConfig | OwnOptimizerConfig, rows: Rows, n_penalized: int
) -> RowOptimizer | WholeOptimizer | OwnRowOptimizer:
    """Of the rows, on the device that they lie on."""
    if isinstance(shared, OwnOptimizerConfig):
        return OwnRowOptimizer(shared, rows)
    on_cpu = rows.values_KP.device.type == "cpu"
    return RowOptimizer(shared, rows, n_penalized) if on_cpu else WholeOptimizer(shared, rows)
