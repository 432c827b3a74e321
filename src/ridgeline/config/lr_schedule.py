"""Settings of the group `lr_schedule`: how the learning rate changes while a fit trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from ridgeline.checking import batchable, is_target, require
from ridgeline.target import TARGET, Target


@dataclass(frozen=True)
class LRScheduleConfig:
    """The learning rate as a function of a fit's own epoch."""

    name: Literal["constant", "cosine", "step"] = "constant"
    final_factor: float = batchable(0.0)
    step_size: int = 10
    gamma: float = batchable(0.1)

    @staticmethod
    def choose(tree: Any, path: str) -> type[LRScheduleConfig]:
        """The class of the schedule that a mapping means: one of the user's own has a `_target_`."""
        return OwnScheduleConfig if isinstance(tree, Mapping) and TARGET in tree else LRScheduleConfig

    def check(self) -> None:
        require(
            0 <= self.final_factor <= 1,
            "0 <= lr_schedule.final_factor <= 1",
            "lr_schedule.final_factor",
            self.final_factor,
        )
        require(self.step_size >= 1, "lr_schedule.step_size >= 1", "lr_schedule.step_size", self.step_size)
        require(0 < self.gamma <= 1, "0 < lr_schedule.gamma <= 1", "lr_schedule.gamma", self.gamma)


@dataclass(frozen=True)
class OwnSchedule(Target):
    """A schedule of torch.optim.lr_scheduler, which gets `optimizer`; or a function of the epoch (from 0), which gives
    what the learning rate is multiplied by."""

    GIVEN: ClassVar[tuple[str, ...]] = ("optimizer", "max_epochs")
    FIRST: ClassVar[int] = 1


@dataclass(frozen=True)
class OwnScheduleConfig(LRScheduleConfig):
    """By `lr_schedule._target_`. All other keys are its arguments."""

    name: Literal["own"] = "own"  # type: ignore[assignment]
    target: OwnSchedule = OwnSchedule("")

    @classmethod
    def read(cls, tree: Any, path: str) -> Self:
        require(is_target(tree), f"{path}.{TARGET} is given with {path}=own", f"{path}.{TARGET}", None)
        return cls(target=OwnSchedule.read(tree, path))

    def tree(self) -> dict[str, Any]:
        """The plain mapping that `read` takes."""
        return self.target.tree()
