"""Schedules as pure functions of a fit's own epoch (from 0): what a base value is multiplied by."""

from __future__ import annotations

import math
from dataclasses import replace

from ridgeline.config import Config, LRScheduleConfig, ScheduleConfig


def lr_factor(schedule: LRScheduleConfig, epoch: int, max_epochs: int) -> float:
    """In (0, 1]; cosine ends at `final_factor` in the last epoch."""
    if schedule.name == "cosine":
        progress = epoch / max(max_epochs - 1, 1)
        return schedule.final_factor + (1 - schedule.final_factor) * (1 + math.cos(math.pi * progress)) / 2
    if schedule.name == "step":
        return schedule.gamma ** (epoch // schedule.step_size)
    return 1.0


def schedule_factor(schedule: ScheduleConfig | None, epoch: int) -> float:
    """In [0, 1]; without a schedule 1.

    curriculum: 1 - exp(-10 * epoch / epochs), from 0 to within 5e-5 of 1 at `epochs` (Morerio et al. 2017).
    """
    if schedule is None or schedule.name == "constant":
        return 1.0
    if schedule.name == "curriculum":
        return 1.0 - math.exp(-10 * epoch / schedule.epochs)
    if schedule.name == "linear":
        return min(epoch / schedule.epochs, 1.0)
    within = epoch < schedule.epochs
    return float(within if schedule.name == "early" else not within)


def scheduled(config: Config, epoch: int) -> Config:
    """The configuration with its rates and penalties as the schedules have them in this epoch."""
    own = config.callbacks
    schedules = {"dropout_schedule": own.dropout_schedule, "penalty_schedule": own.penalty_schedule}
    factors = {name: schedule_factor(schedule, epoch) for name, schedule in schedules.items()}
    if all(factor == 1 for factor in factors.values()):
        return config
    return replace(config, regularization=config.regularization.scheduled(factors))
