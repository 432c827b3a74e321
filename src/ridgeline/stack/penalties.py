"""l1, l2 and max_norm of K fits, on the weights that `penalize` names, and the group lasso of their hidden units.

What no fit uses is not computed.

K fits, W penalized weights of one fit (the first of its row), I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.networks import MLP, Linear
from ridgeline.objective import (
    add_group_lasso_gradient_,
    add_penalty_gradient_,
    group_lasso_K,
    limit_norms_,
    penalty_K,
    shrink_,
    shrink_groups_,
)
from ridgeline.stack.optimizers import RowOptimizer
from ridgeline.stack.rows import Rows


class Penalties:
    """`set` gives each fit its strengths for the steps to come."""

    def __init__(self, config: Config, network: MLP, rows: Rows) -> None:
        self._is_proximal = config.regularization.l1_form == "proximal"
        self._weights_KIO = [linear.weight for linear in network.linears if isinstance(linear, Linear)]
        self._hidden_shapes = [w.shape for w in self._weights_KIO[:-1]]  # the output layer has no hidden units
        self._groups_KIO = self._hidden_layers(rows.values_KP)
        self._group_grads_KIO = self._hidden_layers(rows.grads_KP)
        self.n_penalized = rows.n_weights
        if config.regularization.penalize == "hidden":
            self.n_penalized -= self._weights_KIO.pop()[0].numel()  # the output layer's, the last weights of a row
        self.weights_KW = rows.values_KP[:, : self.n_penalized]
        self.grads_KW = rows.grads_KP[:, : self.n_penalized]

    def set(self, configs: Sequence[Config], factor_K: Sequence[float], optimizer: RowOptimizer) -> None:
        """The penalties that the configurations name times a factor each, but for the l2 that the optimizer adds."""
        fits = [(config.regularization, factor) for config, factor in zip(configs, factor_K, strict=True)]
        l1, l2 = [each.l1 * factor for each, factor in fits], [each.l2 * factor for each, factor in fits]
        added_l2 = [0.0 if optimizer.adds_l2(config) else value for config, value in zip(configs, l2, strict=True)]
        self.l1_K, self.l2_K = self._tensor(l1), self._tensor(l2)
        self._added_l2_K = self._tensor(added_l2) if any(added_l2) else None
        self._added_l1_K = self.l1_K if any(l1) and not self._is_proximal else None
        self._shrinking_l1_K = self.l1_K if any(l1) and self._is_proximal else None
        groups = [each.group_lasso * factor for each, factor in fits]
        self._group_lasso_K = self._tensor(groups) if any(groups) else None
        norms = [each.max_norm for each, _ in fits]
        self._max_norm_K = self._tensor([norm or torch.inf for norm in norms]) if any(norms) else None

    def values_K(self) -> Tensor:
        """l1 * sum|W| + (l2 / 2) * sum W^2 of each fit, and its group lasso."""
        values_K = penalty_K(self.weights_KW, self.l1_K, self.l2_K)
        if self._group_lasso_K is None:
            return values_K
        return values_K + group_lasso_K(self._groups_KIO, self._group_lasso_K)

    def add_gradients_(self) -> None:
        """Before the optimizer's step: all of the penalties' gradient but what comes with or after the step."""
        add_penalty_gradient_(self.grads_KW, self.weights_KW, self._added_l1_K, self._added_l2_K)
        if self._group_lasso_K is not None and not self._is_proximal:
            for grad_KIO, weight_KIO in zip(self._group_grads_KIO, self._groups_KIO, strict=True):
                add_group_lasso_gradient_(grad_KIO, weight_KIO, self._group_lasso_K)

    @torch.no_grad()
    def bound_(self, optimizer: RowOptimizer, steps_K: Sequence[int]) -> None:
        """After the optimizer's step, each fit's `steps`-th: the proximal steps, then the largest norms.

        A gradient l1 * sign(w) would let w swing about 0. The proximal step with the optimizer's own step sizes lands
        on it, and rests where J does: w = 0 where the data's gradient is within +-l1 (Yun, Lozano, Yang 2021). That of
        the group lasso after that of l1 is the proximal step of their sum.
        """
        if self._shrinking_l1_K is not None:
            sizes_KW = optimizer.step_sizes_KW(self.n_penalized, steps_K)
            shrink_(self.weights_KW, sizes_KW.mul_(self._shrinking_l1_K.unsqueeze(1)))
        if self._group_lasso_K is not None and self._is_proximal:
            n = sum(group_KIO[0].numel() for group_KIO in self._groups_KIO)
            sizes = self._hidden_layers(optimizer.step_sizes_KW(n, steps_K).expand(-1, n))
            for weight_KIO, sizes_KIO in zip(self._groups_KIO, sizes, strict=True):
                shrink_groups_(weight_KIO, sizes_KIO, self._group_lasso_K)
        if self._max_norm_K is not None:
            for weight_KIO in self._weights_KIO:
                limit_norms_(weight_KIO, self._max_norm_K)

    def _hidden_layers(self, rows_KP: Tensor) -> list[Tensor]:
        """Views of rows that begin with the hidden layers' weights: (K, I, O) each."""
        sizes = [shape[1:].numel() for shape in self._hidden_shapes]
        pieces_KW = rows_KP[:, : sum(sizes)].split(sizes, dim=1)
        return [piece_KW.view(shape) for piece_KW, shape in zip(pieces_KW, self._hidden_shapes, strict=True)]

    def _tensor(self, values_K: Sequence[float]) -> Tensor:
        return torch.tensor(values_K, dtype=self.weights_KW.dtype, device=self.weights_KW.device)
