"""torch.optim's optimizers over K rows: a rate, a decay, a momentum and a step count a fit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ridgeline.config import Config, OptimizerConfig
from ridgeline.stack.rows import Rows

LONG_ROW = 100_000
"""Weights of a fit from which a pass over them for the l2 penalty costs more than a call of the optimizer a fit."""


class RowOptimizer:
    """The fused optimizer that `shared` names, with its betas and eps; `load` gives a row its own knobs.

    Rows whose knobs are equal at the moment share a parameter group, for each group is a call of its own; a row's step
    count is its own in any group. Long rows have the l2 penalty's gradient, l2 * W, added by the optimizer, where it is
    called weight_decay: see `adds_l2`.
    """

    def __init__(self, shared: OptimizerConfig, rows: Rows) -> None:
        self._name = shared.name
        self._is_long = rows.n_weights >= LONG_ROW and shared.name != "adamw"  # AdamW's decay is another thing
        parts = [slice(None)] if not self._is_long else [slice(rows.n_weights), slice(rows.n_weights, None)]
        self._parts = [
            [_parameter(values_P[part], grads_P[part]) for part in parts]
            for values_P, grads_P in zip(rows.values_KP, rows.grads_KP, strict=True)
        ]
        self._knobs: list[list[dict[str, float]]] = [[{} for _ in parts] for _ in self._parts]
        every = [part for row in self._parts for part in row]
        self.torch_optimizer: torch.optim.Optimizer
        if shared.name == "sgd":
            momentum, nesterov = shared.momentum, shared.nesterov
            self.torch_optimizer = torch.optim.SGD(every, momentum=momentum, nesterov=nesterov, fused=True)
        else:
            kind = torch.optim.Adam if shared.name == "adam" else torch.optim.AdamW
            betas = (shared.betas[0], shared.betas[1])
            self.torch_optimizer = kind(every, betas=betas, eps=shared.eps, fused=True)

    def adds_l2(self, config: Config) -> bool:
        """Whether a fit's l2 gradient is the optimizer's to add. A clipped gradient has it before it is clipped."""
        return self._is_long and config.optimizer.gradient_clip_val is None

    def load(self, k: int, config: Config) -> None:
        """A fresh fit in row `k`: no momentum, step 0, its own knobs."""
        knobs = {"lr": config.optimizer.lr, "weight_decay": 0.0}
        if self._name == "sgd":
            knobs["momentum"] = config.optimizer.momentum
        if self._name == "adamw":
            knobs["weight_decay"] = config.optimizer.weight_decay
        self._knobs[k] = [dict(knobs) for _ in self._parts[k]]
        if self.adds_l2(config):
            self._knobs[k][0]["weight_decay"] = config.regularization.l2  # of the weights, not of the biases
        for part in self._parts[k]:
            self.torch_optimizer.state.pop(part, None)

    def set_lr(self, lr_K: list[float]) -> None:
        """A rate a row, for the steps to come; knobs that were loaded take effect here too."""
        groups: dict[tuple[float, ...], dict[str, Any]] = {}
        for row, row_knobs, lr in zip(self._parts, self._knobs, lr_K, strict=True):
            for part, knobs in zip(row, row_knobs, strict=True):
                knobs["lr"] = lr
                fresh = {**self.torch_optimizer.defaults, **knobs, "params": []}
                groups.setdefault(tuple(knobs.values()), fresh)["params"].append(part)
        self.torch_optimizer.param_groups[:] = groups.values()  # in place: Lightning holds this list too


def _parameter(values_P: Tensor, grads_P: Tensor) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(values_P)
    parameter.grad = grads_P
    return parameter
