"""Any learning rate schedule by `lr_schedule._target_`: what a fit's rate is multiplied by in its own epoch."""

from __future__ import annotations

import inspect
import math

import torch

from ridgeline.checking import ConfigError
from ridgeline.config import Config
from ridgeline.config.lr_schedule import OwnScheduleConfig
from ridgeline.stack.records import FitRecord
from ridgeline.target import reason


class OwnFactors:
    """A scheduler of torch follows each fit with an optimizer of one number that has the fit's rate, an epoch a step.

    One that waits for a metric (ReduceLROnPlateau) gets the fit's own. What a fit has behind it is replayed where a
    training is gone on with.
    """

    def __init__(self) -> None:
        self._followers: dict[int, tuple[FitRecord, Follower]] = {}

    def factor(self, k: int, config: Config, record: FitRecord) -> float:
        """In epoch `record.epoch` of fit k, which the record tells from the one before in its place."""
        schedule = config.lr_schedule
        assert isinstance(schedule, OwnScheduleConfig)
        found = schedule.target.find()
        if not (isinstance(found, type) and issubclass(found, torch.optim.lr_scheduler.LRScheduler)):
            given = {"max_epochs": config.trainer.max_epochs}
            function = schedule.target.function(**given)
            return float(function(record.epoch))
        known = self._followers.get(k)
        if known is None or known[0] is not record:
            known = self._followers[k] = (record, Follower(config, schedule))
        return known[1].factor(record)


class Follower:
    """One scheduler, and how many steps it has done."""

    def __init__(self, config: Config, schedule: OwnScheduleConfig) -> None:
        self._lr, self._metric, self._steps = config.optimizer.lr, config.metric, 0
        self._optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=self._lr, momentum=0.9)
        self._scheduler = schedule.target.build(self._optimizer, max_epochs=config.trainer.max_epochs)
        self._takes_metric = "metrics" in inspect.signature(self._scheduler.step).parameters

    def factor(self, record: FitRecord) -> float:
        for row in record.history[self._steps : record.epoch]:
            self._optimizer.step()  # without a gradient it does nothing, and torch wants it before the scheduler's
            try:
                self._scheduler.step(*([row[self._metric]] if self._takes_metric else []))
            except ValueError as error:  # one that is to end after so many steps, say
                raise ConfigError(f"lr_schedule._target_ gives no rate in epoch {record.epoch + 1}: {error}") from error
        self._steps = record.epoch
        return float(self._optimizer.param_groups[0]["lr"]) / self._lr


def check_schedule(config: Config) -> None:
    """Raise ConfigError, one line, where the schedule gives no rate in the first epoch."""
    schedule = config.lr_schedule
    assert isinstance(schedule, OwnScheduleConfig)
    shown = f"lr_schedule._target_={schedule.target.path}"
    rule = "lr_schedule gives a number >= 0 for an epoch"
    try:
        factor = OwnFactors().factor(0, config, FitRecord())
    except ConfigError:
        raise
    except Exception as error:  # whatever the author's code says
        raise ConfigError(f"`{rule}` must hold, but got {shown}: {reason(error)}.") from error
    if not 0 <= factor < math.inf:
        raise ConfigError(f"`{rule}` must hold, but got {shown}: {factor}.")
