"""Settings of the group `optimizer`: how the weights are moved along their gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

from ridgeline.checking import batchable, convert, is_target, require
from ridgeline.target import TARGET, Target


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

    @staticmethod
    def choose(tree: Any, path: str) -> type[OptimizerConfig]:
        """The class of the optimizer that a mapping means: one of the user's own has a `_target_`."""
        return OwnOptimizerConfig if isinstance(tree, Mapping) and TARGET in tree else OptimizerConfig

    @property
    def decay(self) -> float:
        """The weight decay that the optimizer applies."""
        return self.weight_decay if self.name == "adamw" else 0.0

    def without_decay(self) -> OptimizerConfig:
        return replace(self, weight_decay=0.0)

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


ELEMENTWISE = ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD")
"""Of torch.optim: those that move each weight by itself, so that a fit's weights may lie in one flat row."""


@dataclass(frozen=True)
class OwnOptimizer(Target):
    """An optimizer of torch.optim, or of anyone's: it gets `params`, and `lr` where it takes one."""

    GIVEN: ClassVar[tuple[str, ...]] = ("params", "lr", "momentum", "weight_decay")

    @property
    def is_elementwise(self) -> bool:
        return self.path in [f"torch.optim.{name}" for name in ELEMENTWISE]


@dataclass(frozen=True)
class OwnOptimizerConfig(OptimizerConfig):
    """By `optimizer._target_`. Its learning rate, momentum, weight decay and clipping are batchable as ever; all other
    keys are its arguments."""

    name: Literal["own"] = "own"  # type: ignore[assignment]
    lr: float = batchable(1e-3)
    target: OwnOptimizer = OwnOptimizer("")

    @classmethod
    def read(cls, tree: Any, path: str) -> Self:
        require(is_target(tree), f"{path}.{TARGET} is given with {path}=own", f"{path}.{TARGET}", None)
        ours = {"lr": float, "gradient_clip_val": float | None}
        target = OwnOptimizer.read({key: value for key, value in tree.items() if key not in ours}, path)
        defaults = {name: parameter.default for name, parameter in target.parameters().items()}
        known = {"momentum": defaults.get("momentum"), "weight_decay": defaults.get("weight_decay")}
        values = {key: convert(hint, tree[key], f"{path}.{key}") for key, hint in ours.items() if key in tree}
        for key, default in known.items():
            if isinstance(default, (int, float)):
                values[key] = convert(float, tree.get(key, default), f"{path}.{key}")
        target = replace(target, arguments=tuple((key, value) for key, value in target.arguments if key not in values))
        bases = [base.__name__ for base in getattr(target.find(), "__mro__", ())]
        require(not bases or "Optimizer" in bases, f"{path}.{TARGET} is an Optimizer of torch", path, target.path)
        rule = f"{path}.{TARGET} steps without a closure"
        require("LBFGS" not in bases, rule, f"{path}.{TARGET}", target.path)
        built = cls(target=target, **values)
        built.check()
        return built

    def tree(self) -> dict[str, Any]:
        """The plain mapping that `read` takes."""
        return {**self.target.tree(), **self.given(), "gradient_clip_val": self.gradient_clip_val}

    def given(self) -> dict[str, float]:
        """What the optimizer is told beside the user's arguments: those of these that it takes."""
        values = {"lr": self.lr, "momentum": self.momentum, "weight_decay": self.weight_decay}
        return {name: value for name, value in values.items() if name == "lr" or self.target.takes(name)}

    @property
    def decay(self) -> float:
        return self.weight_decay
