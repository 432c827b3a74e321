"""Any optimizer by `optimizer._target_` over K rows.

K fits, P parameters of one fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.config import Config, ConfigError
from ridgeline.config.optimizer import OwnOptimizerConfig
from ridgeline.data import Splits
from ridgeline.networks.stacking import randomness
from ridgeline.networks.stacking.rows import Rows
from ridgeline.stack.networks import EXAMPLES, shape_of, stacked_network
from ridgeline.target import reason


class OwnRowOptimizer:
    """What `RowOptimizer` is for ours. An elementwise optimizer of torch.optim has a parameter group a fit, a flat row
    each; of any other each fit has one of its own, over parameters in the shapes of their layers."""

    def __init__(self, shared: OwnOptimizerConfig, rows: Rows) -> None:
        self._rows = rows
        self._is_elementwise = shared.target.is_elementwise
        self._each: list[torch.optim.Optimizer] = []
        self.torch_optimizer: torch.optim.Optimizer
        if self._is_elementwise:
            self._parameters = [nn.Parameter(values_P) for values_P in rows.values_KP]
            for parameter, grads_P in zip(self._parameters, rows.grads_KP, strict=True):
                parameter.grad = grads_P
            groups = [{"params": [parameter]} for parameter in self._parameters]
            self.torch_optimizer = shared.target.build(params=groups, **shared.given())
        else:
            for k in range(len(rows.values_KP)):
                self._each.append(shared.target.build(params=rows.parameters_of(k), **shared.given()))
            self.torch_optimizer = Several(self._each)

    def adds_l2(self, config: Config) -> bool:
        """Whether a fit's l2 gradient is the optimizer's to add."""
        return False

    def set_l2(self, l2_K: Sequence[float]) -> None:
        """Nothing: it adds none."""

    def load(self, k: int, config: Config) -> None:
        """A fresh fit in row `k`: no state, its own settings."""
        own = config.optimizer
        assert isinstance(own, OwnOptimizerConfig)
        if not self._is_elementwise:
            self._each[k] = own.target.build(params=self._rows.parameters_of(k), **own.given())
            return
        self.torch_optimizer.state.pop(self._parameters[k], None)
        self.torch_optimizer.param_groups[k].update(own.given())

    def set(self, lr_K: Sequence[float]) -> None:
        """A learning rate a row, for the steps to come."""
        of_fits = [each.param_groups for each in self._each] or [[group] for group in self.torch_optimizer.param_groups]
        for groups, lr in zip(of_fits, lr_K, strict=True):
            for group in groups:
                group["lr"] = lr

    def step_sizes_KW(self, n: int, steps_K: Sequence[int]) -> Tensor:
        raise AssertionError("the configuration was checked: no proximal steps with an optimizer of the user's own")


def check_optimizer(config: Config, splits: Splits) -> None:
    """Raise ConfigError, one line, where the optimizer cannot do a step of this network's weights."""
    own = config.optimizer
    assert isinstance(own, OwnOptimizerConfig)
    with randomness.restored():
        rows = stacked_network(config, 1, splits.train.features_MI(slice(EXAMPLES)), shape_of(splits)).rows
        try:
            optimizer = OwnRowOptimizer(own, rows)
            rows.grads_KP.fill_(1e-3)
            optimizer.load(0, config)
            optimizer.torch_optimizer.step()
        except ConfigError:
            raise
        except Exception as error:  # whatever the author's code says to these weights
            shown = f"optimizer._target_={own.target.path}"
            raise ConfigError(f"`optimizer can step` must hold, but got {shown}: {reason(error)}.") from error


class Several(torch.optim.Optimizer):
    """Optimizers that step together, a fit each; `optimizers` may change."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers
        super().__init__([p for each in optimizers for group in each.param_groups for p in group["params"]], {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else closure()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for optimizer, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            optimizer.load_state_dict(state)
