"""Settings of the group `optimizer`: how the weights are moved along their gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ridgeline.checking import batchable, require


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer of torch.optim. `weight_decay` is AdamW's decoupled one; a penalty is `regularization.l2`."""

    name: Literal["sgd", "adam", "adamw"]
    lr: float = batchable()
    momentum: float = batchable(0.0)
    nesterov: bool = False
    betas: tuple[float, ...] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = batchable(0.0)
    gradient_clip_val: float | None = batchable(None)

    def check(self) -> None:
        require(0 < self.lr < math.inf, "0 < optimizer.lr < inf", "optimizer.lr", self.lr)
        require(0 <= self.momentum < 1, "0 <= optimizer.momentum < 1", "optimizer.momentum", self.momentum)
        if self.nesterov:
            require(self.momentum > 0, "optimizer.momentum > 0 with nesterov", "optimizer.momentum", self.momentum)
        require(len(self.betas) == 2, "len(optimizer.betas) == 2", "optimizer.betas", list(self.betas))
        require(all(0 <= beta < 1 for beta in self.betas), "0 <= beta < 1", "optimizer.betas", list(self.betas))
        require(0 < self.eps < math.inf, "0 < optimizer.eps < inf", "optimizer.eps", self.eps)
        decay = self.weight_decay
        require(0 <= decay < math.inf, "0 <= optimizer.weight_decay < inf", "optimizer.weight_decay", decay)
        clip = self.gradient_clip_val
        require(
            clip is None or clip > 0, "optimizer.gradient_clip_val > 0 (or null)", "optimizer.gradient_clip_val", clip
        )
