"""torch.optim's optimizers over K rows: a parameter group, and so a rate, a decay and a step count, a fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.config import Config


def build_optimizer(configs: Sequence[Config], values_KP: Tensor, grads_KP: Tensor) -> torch.optim.Optimizer:
    """The fused optimizer of the configurations, which share its name, betas and eps."""
    groups = []
    for config, values_P, grads_P in zip(configs, values_KP, grads_KP, strict=True):
        row = torch.nn.Parameter(values_P)
        row.grad = grads_P
        knobs = {"lr": config.optimizer.lr}
        if config.optimizer.name == "sgd":
            knobs["momentum"] = config.optimizer.momentum
        if config.optimizer.name == "adamw":
            knobs["weight_decay"] = config.optimizer.weight_decay
        groups.append({"params": [row], **knobs})
    shared = configs[0].optimizer
    if shared.name == "sgd":
        return torch.optim.SGD(groups, momentum=shared.momentum, nesterov=shared.nesterov, fused=True)
    betas = (shared.betas[0], shared.betas[1])
    if shared.name == "adam":
        return torch.optim.Adam(groups, betas=betas, eps=shared.eps, fused=True)
    return torch.optim.AdamW(groups, betas=betas, eps=shared.eps, fused=True)
