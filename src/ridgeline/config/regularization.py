"""The knobs of the group `regularization`, and the rules that their values must keep. docs/knobs.md explains them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from ridgeline.checking import batchable, require

LEAST_KEPT = 2.0**-16
"""The least share of units or weights that a mask keeps: 16 random bits decide on each."""


@dataclass(frozen=True)
class RegularizationConfig:
    """Penalties, bounds, noise and averages; 0 = off. `dropout` is one rate for every hidden layer, or a rate for each.

    `penalize` says on which layers' weights `l1`, `l2` and `max_norm` act: on all, or not on the output layer's.
    `group_lasso` acts on hidden units alone. `l1_form` says how both penalties with a kink, it and `l1`, are descended.
    """

    l1: float = batchable(0.0)
    l1_form: Literal["proximal", "subgradient"] = "proximal"
    l2: float = batchable(0.0)
    group_lasso: float = batchable(0.0)
    max_norm: float = batchable(0.0)
    penalize: Literal["all", "hidden"] = "all"
    dropout: float | tuple[float, ...] = batchable(0.0)
    input_dropout: float = batchable(0.0)
    dropconnect: float = batchable(0.0)
    input_noise: float = batchable(0.0)
    label_smoothing: float = batchable(0.0)
    mixup: float = batchable(0.0)
    weight_average: float = batchable(0.0)

    def check(self) -> None:
        for name in ("l1", "l2", "group_lasso", "max_norm", "input_noise", "mixup"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"0 <= regularization.{name} < inf", f"regularization.{name}", value)
        for name in ("input_dropout", "dropconnect", "label_smoothing", "weight_average"):
            value = getattr(self, name)
            require(0 <= value < 1, f"0 <= {name} < 1", f"regularization.{name}", value)
        rates = self.dropout if isinstance(self.dropout, tuple) else (self.dropout,)
        shown = list(self.dropout) if isinstance(self.dropout, tuple) else self.dropout
        require(all(0 <= rate < 1 for rate in rates), "0 <= dropout < 1", "regularization.dropout", shown)
        masks = {"dropout": rates, "input_dropout": (self.input_dropout,), "dropconnect": (self.dropconnect,)}
        for name, values in masks.items():
            rule = f"{name} <= 1 - 2**-16 (a mask is drawn with 16 bits)"
            value = shown if name == "dropout" else getattr(self, name)
            require(all(1 - rate >= LEAST_KEPT for rate in values), rule, f"regularization.{name}", value)

    def check_fits(self, n_hidden: int, loss: str) -> None:
        """The rules that a network of so many hidden layers and its loss bring."""
        if n_hidden == 0:
            rule = "regularization.dropout == 0 without hidden layers (input_dropout drops features)"
            require(self.dropout in (0, ()), rule, "regularization.dropout", self.dropout)
            for name in ("dropconnect", "group_lasso"):
                key, value = f"regularization.{name}", getattr(self, name)
                require(value == 0, f"{key} == 0 without hidden layers", key, value)
            rule = "regularization.penalize == all without hidden layers"
            require(self.penalize == "all", rule, "regularization.penalize", self.penalize)
        if isinstance(self.dropout, tuple):
            rule = f"len(regularization.dropout) == len(network.hidden) == {n_hidden}"
            require(len(self.dropout) == n_hidden, rule, "regularization.dropout", list(self.dropout))
        rule = "regularization.label_smoothing == 0 unless loss == cross_entropy"
        holds = self.label_smoothing == 0 or loss == "cross_entropy"
        require(holds, rule, "regularization.label_smoothing", self.label_smoothing)

    @property
    def is_off(self) -> bool:
        """Whether this is the baseline's."""
        strengths = (getattr(self, f.name) for f in fields(self) if f.name not in ("l1_form", "penalize", "dropout"))
        return not any(strengths) and not any(self.dropout_rates(1))

    def dropout_rates(self, n_hidden: int) -> tuple[float, ...]:
        """The rate of each of `n_hidden` layers."""
        return self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * n_hidden
