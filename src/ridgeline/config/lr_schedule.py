"""Settings of the group `lr_schedule`: how the learning rate changes while a fit trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ridgeline.checking import batchable, require


@dataclass(frozen=True)
class LRScheduleConfig:
    """The learning rate as a function of a fit's own epoch."""

    name: Literal["constant", "cosine", "step"] = "constant"
    final_factor: float = batchable(0.0)
    step_size: int = 10
    gamma: float = batchable(0.1)

    def check(self) -> None:
        require(
            0 <= self.final_factor <= 1,
            "0 <= lr_schedule.final_factor <= 1",
            "lr_schedule.final_factor",
            self.final_factor,
        )
        require(self.step_size >= 1, "lr_schedule.step_size >= 1", "lr_schedule.step_size", self.step_size)
        require(0 < self.gamma <= 1, "0 < lr_schedule.gamma <= 1", "lr_schedule.gamma", self.gamma)
