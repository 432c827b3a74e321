"""group_lasso: group_lasso * sum over hidden units of sqrt(I) * ||w||_2, w a unit's I incoming weights, joins the
objective (Yuan, Lin 2006; Alvarez, Salzmann 2016), and drives whole units to exactly 0.

K fits, I inputs, O outputs of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.regularizers.effect import Effect, Fits
from ridgeline.regularizers.l1 import require_known_steps
from ridgeline.regularizers.penalized import UNKNOWN_OUTPUT, hidden_layers
from ridgeline.strengths import Settings, require_at_least_0, require_hidden_layers, require_layers, strength

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config

NEWTON_STEPS = 5
"""Of the proximal step of a group; one is exact where all step sizes are alike."""


@dataclass(frozen=True)
class GroupLassoSettings(Settings):
    """`group_lasso`: the penalty's strength, on hidden units alone."""

    group_lasso: float = strength(
        schedule="penalty_schedule", forms=("l1_form",), not_on_module=f"where {UNKNOWN_OUTPUT}"
    )

    def check(self) -> None:
        require_at_least_0("regularization.group_lasso", self.group_lasso)

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        require_layers("regularization.group_lasso", self.group_lasso, n_layers, hidden=True)

    def check_beside(self, config: Config) -> None:
        require_known_steps("group_lasso", self.group_lasso, config)
        require_hidden_layers("regularization.group_lasso", self.group_lasso, config.network.n_hidden)


class GroupLasso(Effect):
    """Descended as l1 is, by `regularization.l1_form`. Its proximal step after that of l1 is the one of their sum."""

    order = 12
    settings = GroupLassoSettings

    def attach(self, fits: Fits) -> None:
        super().attach(fits)
        self._weights = hidden_layers(fits.network)
        self._n = sum(weight.slot.size for weight in self._weights)

    def load(self, configs: Sequence[Config]) -> None:
        self._is_proximal = configs[0].regularization.l1_form == "proximal"
        strength_K = self.fits.numbers_K([config.regularization.group_lasso for config in configs])
        self._strength_K = self.kept("strength", strength_K)

    def on_gradients(self) -> None:
        if not self._is_proximal:
            for weight in self._weights:
                add_group_lasso_gradient_(weight.grad_KIO, weight.value_KIO, self._strength_K)

    def after_step(self) -> None:
        if self._is_proximal:
            sizes_KW = self.fits.optimizer.step_sizes_KW(self._n, self.fits.steps).expand(-1, self._n)
            for weight in self._weights:
                shrink_groups_(weight.value_KIO, weight.view_KIO(sizes_KW), self._strength_K)

    def values_K(self) -> Tensor:
        return group_lasso_K([weight.value_KIO for weight in self._weights], self._strength_K)


def group_lasso_K(weights_KIO: Sequence[Tensor], strength_K: Tensor) -> Tensor:
    """strength * sum of sqrt(I) * ||w||_2 over each layer's units, w a unit's I incoming weights."""
    import torch

    norms_LK = [math.sqrt(w.shape[1]) * torch.linalg.vector_norm(w, dim=1).sum(dim=1) for w in weights_KIO]
    return strength_K * torch.stack(norms_LK).sum(dim=0)


def add_group_lasso_gradient_(grad_KIO: Tensor, weight_KIO: Tensor, strength_K: Tensor) -> None:
    """Add strength * sqrt(I) * w / ||w||_2 of each unit of a layer, in place; nothing at w = 0."""
    import torch

    norm_K1O = torch.linalg.vector_norm(weight_KIO, dim=1, keepdim=True)
    factor_K1O = math.sqrt(weight_KIO.shape[1]) * strength_K.view(-1, 1, 1) / norm_K1O
    grad_KIO.addcmul_(weight_KIO, torch.where(norm_K1O > 0, factor_K1O, 0.0))


def shrink_groups_(weight_KIO: Tensor, sizes_KIO: Tensor, strength_K: Tensor) -> None:
    """The proximal step of `group_lasso_K` in step sizes s, in place; a strength of 0 leaves its fit as it is.

    Each unit's incoming weights z become argmin over w of sum (w - z)^2 / (2 s) + t ||w||_2, t = strength * sqrt(I):
    exactly 0 where ||z / s||_2 <= t, and else z * r / (r + t s) with r = ||w||_2, the root of ||z / (r + t s)||_2 = 1.
    Where all s are alike that is z * (1 - t s / ||z||_2). 1 / ||z / (r + t s)||_2 is concave in r and nearly a line, so
    Newton's steps to 1 come, after the first, from below, and no unit is set to 0 or kept by a rounded r.
    """
    import torch

    strength_K11, tiny = strength_K.view(-1, 1, 1), torch.finfo(weight_KIO.dtype).tiny
    moves_KIO = (sizes_KIO * (math.sqrt(weight_KIO.shape[1]) * strength_K11)).clamp_min_(tiny)  # 0 / 0 is no number
    stays_K1O = (weight_KIO / moves_KIO).square_().sum(dim=1, keepdim=True) > 1
    squares_KIO = weight_KIO.square()
    r_K1O = squares_KIO.sum(dim=1, keepdim=True).sqrt_()
    for _ in range(NEWTON_STEPS):
        inverse_KIO = (moves_KIO + r_K1O).reciprocal_()
        shares_KIO = (squares_KIO * inverse_KIO).mul_(inverse_KIO)
        square_K1O = shares_KIO.sum(dim=1, keepdim=True)
        slope_K1O = shares_KIO.mul_(inverse_KIO).sum(dim=1, keepdim=True).clamp_min_(tiny)
        r_K1O = (r_K1O + square_K1O * (square_K1O.sqrt() - 1) / slope_K1O).clamp_min_(0)
    factor_KIO = torch.where(stays_K1O, r_K1O / (moves_KIO + r_K1O), 0.0)
    weight_KIO.mul_(torch.where(strength_K11 > 0, factor_KIO, 1.0))
