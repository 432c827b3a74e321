"""Settings of the group `callbacks`: what stops, schedules and measures a fit while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from ridgeline.checking import ConfigError, batchable, require, targets
from ridgeline.target import KNOWN, TARGET, Target, is_target, of_lightning


@dataclass(frozen=True)
class EarlyStoppingConfig:
    """As Lightning's: stop after `patience` epochs in a row in which `monitor` got better by no more than `min_delta`.

    As in Keras, the epochs before `start_from_epoch` (from 0) are as if they were not: neither beaten nor waited for.
    """

    monitor: str = "val/loss"
    patience: int = batchable(10)
    min_delta: float = batchable(0.0)
    start_from_epoch: int = batchable(0)

    def check(self) -> None:
        require(
            self.patience >= 1,
            "callbacks.early_stopping.patience >= 1",
            "callbacks.early_stopping.patience",
            self.patience,
        )
        require(
            self.min_delta >= 0,
            "callbacks.early_stopping.min_delta >= 0",
            "callbacks.early_stopping.min_delta",
            self.min_delta,
        )
        key = "callbacks.early_stopping.start_from_epoch"
        require(self.start_from_epoch >= 0, f"{key} >= 0", key, self.start_from_epoch)


@dataclass(frozen=True)
class ScheduleConfig:
    """What rates or penalties are multiplied by, as a function of a fit's own epoch.

    constant: 1. early: 1 during the first `epochs`, then 0. late: 0 during the first `epochs`, then 1. curriculum: from
    0, fast at first, to 1 after `epochs`. linear: from 0 in the first epoch to 1 after `epochs`.
    """

    name: Literal["constant", "early", "late", "curriculum", "linear"] = batchable("linear")
    epochs: int = batchable(10)


@dataclass(frozen=True)
class DiagnosticsConfig:
    """How units and gradients fare, measured on the first `examples` of the validation split after each epoch."""

    examples: int = 256

    def check(self) -> None:
        rule = "callbacks.diagnostics.examples >= 1"
        require(self.examples >= 1, rule, "callbacks.diagnostics.examples", self.examples)


OURS = {
    "ModelCheckpoint": "weights are kept by trainer.restore_best and tracking.keep_weights",
    "StochasticWeightAveraging": "of averages there is regularization.weight_average",
    "WeightAveraging": "of averages there is regularization.weight_average",
    "GradientAccumulationScheduler": "of larger steps there is trainer.batch_size",
    "LearningRateFinder": "of learning rates there is the search",
    "BatchSizeFinder": "of batches there is trainer.batch_size",
    "LearningRateMonitor": "what is logged is in MLflow",
    "DeviceStatsMonitor": "what is logged is in MLflow",
}
"""Callbacks of Lightning's that would have no effect here, or end the training, and what is there in their place."""


@dataclass(frozen=True)
class OwnCallback(Target):
    """A Lightning callback of anyone's, by `callbacks.NAME._target_`."""

    @classmethod
    def read(cls, tree: Any, key: str) -> Self:
        target = super().read(tree, key)
        holds = not isinstance(target.find(), type) or of_lightning(target.find(), "Callback")
        require(holds, f"{key}._target_ is a Callback of Lightning", f"{key}._target_", target.path)
        return target


def refuse_ours(callbacks: Any) -> None:
    """Raise ConfigError for a callback of `OURS`, or of a class of one, in the plain mapping of the group.

    A LightningModule of the user's own takes them all.
    """
    for name, tree in callbacks.items() if isinstance(callbacks, Mapping) else ():
        path = tree[TARGET] if is_target(tree) else None
        if not isinstance(path, str):
            continue
        key, names = f"callbacks.{name}.{TARGET}", [path.rpartition(".")[2]] if path.startswith(KNOWN) else []
        if not set(names) & set(OURS):
            names = [base.__name__ for base in getattr(Target(path, key=f"callbacks.{name}").find(), "__mro__", ())]
        for known in names:
            if known in OURS:
                raise ConfigError(f"`{key} is no {known}, for {OURS[known]},` must hold, but got {key}={path}.")


@dataclass(frozen=True)
class CallbacksConfig:
    """Lightning callbacks; null = absent. `own`: the user's, by name; a trial that has some trains alone."""

    early_stopping: EarlyStoppingConfig | None = None
    dropout_schedule: ScheduleConfig | None = None
    penalty_schedule: ScheduleConfig | None = None
    diagnostics: DiagnosticsConfig | None = None
    own: tuple[tuple[str, OwnCallback], ...] = targets(OwnCallback)

    def check(self) -> None:
        for name in ("dropout_schedule", "penalty_schedule"):
            schedule = getattr(self, name)
            if schedule is not None:
                key = f"callbacks.{name}.epochs"
                require(schedule.epochs >= 1, f"{key} >= 1", key, schedule.epochs)
