"""torch.optim's optimizers over K rows: a parameter group, and so a rate, a decay and a step count, a fit."""

from __future__ import annotations

import torch
from torch import Tensor

from ridgeline.config import OptimizerConfig


class RowOptimizer:
    """The fused optimizer that `shared` names, with its betas and eps; `load` gives a row its own knobs."""

    def __init__(self, shared: OptimizerConfig, values_KP: Tensor, grads_KP: Tensor) -> None:
        self._name = shared.name
        self._rows = [torch.nn.Parameter(values_P) for values_P in values_KP]
        for row, grads_P in zip(self._rows, grads_KP, strict=True):
            row.grad = grads_P
        groups = [{"params": [row]} for row in self._rows]
        betas = (shared.betas[0], shared.betas[1])
        self.torch_optimizer: torch.optim.Optimizer
        if shared.name == "sgd":
            momentum, nesterov = shared.momentum, shared.nesterov
            self.torch_optimizer = torch.optim.SGD(groups, momentum=momentum, nesterov=nesterov, fused=True)
        else:
            kind = torch.optim.Adam if shared.name == "adam" else torch.optim.AdamW
            self.torch_optimizer = kind(groups, betas=betas, eps=shared.eps, fused=True)

    def load(self, k: int, config: OptimizerConfig) -> None:
        """A fresh fit in row `k`: no momentum, step 0, its own knobs."""
        self.torch_optimizer.state.pop(self._rows[k], None)
        group = self.torch_optimizer.param_groups[k]
        group["lr"] = config.lr
        if self._name == "sgd":
            group["momentum"] = config.momentum
        if self._name == "adamw":
            group["weight_decay"] = config.weight_decay

    def set_lr(self, k: int, lr: float) -> None:
        self.torch_optimizer.param_groups[k]["lr"] = lr
