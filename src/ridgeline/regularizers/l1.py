"""l1: l1 * sum|W| joins the objective (lasso; Tibshirani 1996), and drives weights to exactly 0.

K fits, W penalized weights of one fit (the first of its row).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ridgeline.checking import require
from ridgeline.regularizers.effect import Effect
from ridgeline.strengths import Settings, form, require_at_least_0, require_layers, strength

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config


@dataclass(frozen=True)
class L1Settings(Settings):
    """`l1`: the penalty's strength. `l1_form`: how it and `group_lasso`, which have kinks, are descended."""

    l1: float = strength(schedule="penalty_schedule", forms=("l1_form", "penalize"))
    l1_form: Literal["proximal", "subgradient"] = form("proximal", gradient="subgradient")

    def check(self) -> None:
        require_at_least_0("regularization.l1", self.l1)

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        require_layers("regularization.l1", self.l1, n_layers)

    def check_beside(self, config: Config) -> None:
        require_known_steps("l1", self.l1, config)


def require_known_steps(name: str, value: float, config: Config) -> None:
    """A proximal step is taken in the sizes of the optimizer's steps, which are known of ours."""
    holds = value == 0 or config.optimizer.name != "own" or config.regularization.l1_form == "subgradient"
    rule = f"regularization.l1_form == subgradient where regularization.{name} > 0 with optimizer._target_"
    require(holds, rule, "regularization.l1_form", config.regularization.l1_form)


class L1(Effect):
    """Descended by its proximal step after the optimizer's, or by its subgradient: `regularization.l1_form`.

    A gradient l1 * sign(w) would let w swing about 0. The proximal step with the optimizer's own step sizes lands on
    it, and rests where the objective does: w = 0 where the data's gradient is within +-l1 (Yun, Lozano, Yang 2021).
    """

    order = 11
    settings = L1Settings

    def load(self, configs: Sequence[Config]) -> None:
        n = self.fits.n_penalized
        self._is_proximal = configs[0].regularization.l1_form == "proximal"
        self.l1_K = self.kept("l1", self.fits.numbers_K([config.regularization.l1 for config in configs]))
        self._weights_KW, self._grads_KW = self.fits.rows.values_KP[:, :n], self.fits.rows.grads_KP[:, :n]

    def on_gradients(self) -> None:
        if not self._is_proximal:
            add_l1_gradient_(self._grads_KW, self._weights_KW, self.l1_K)

    def after_step(self) -> None:
        if self._is_proximal:
            sizes_KW = self.fits.optimizer.step_sizes_KW(self.fits.n_penalized, self.fits.steps)
            shrink_(self._weights_KW, sizes_KW.mul_(self.l1_K.unsqueeze(1)))

    def values_K(self) -> Tensor:
        return l1_penalty_K(self._weights_KW, self.l1_K)


def l1_penalty_K(weights_KW: Tensor, l1_K: Tensor) -> Tensor:
    """l1 * sum|W| of each fit, in one pass without a copy."""
    from torch.linalg import vector_norm

    value_K: Tensor = l1_K * vector_norm(weights_KW, 1, dim=1)
    return value_K


def add_l1_gradient_(grads_KW: Tensor, weights_KW: Tensor, l1_K: Tensor) -> None:
    """Add l1 * sign(W) in place."""
    grads_KW.addcmul_(weights_KW.sign(), l1_K.unsqueeze(1))


def shrink_(weights_KW: Tensor, by_KW: Tensor) -> None:
    """Soft threshold, the proximal step of l1, in place: towards 0 by `by`, and to exactly 0 where that is as far."""
    weights_KW.sub_(weights_KW.clamp(-by_KW, by_KW))
