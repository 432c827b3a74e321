"""l2: (l2 / 2) * sum W^2 joins the objective (ridge, weight decay; Krogh, Hertz 1992).

K fits, W penalized weights of one fit (the first of its row).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.regularizers.effect import Effect
from ridgeline.strengths import Settings, require_at_least_0, require_layers, strength

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config


@dataclass(frozen=True)
class L2Settings(Settings):
    """`l2`: the penalty's strength."""

    l2: float = strength(schedule="penalty_schedule", forms=("penalize",))

    def check(self) -> None:
        require_at_least_0("regularization.l2", self.l2)

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        require_layers("regularization.l2", self.l2, n_layers)


class L2(Effect):
    """Its gradient is l2 * W. The optimizer adds it to long rows, in its own pass over them, where it can."""

    order = 10
    settings = L2Settings

    def load(self, configs: Sequence[Config]) -> None:
        optimizer, n = self.fits.optimizer, self.fits.n_penalized
        l2 = [config.regularization.l2 for config in configs]
        by_optimizer = [optimizer.adds_l2(config) for config in configs]
        optimizer.set_l2([value if by else 0.0 for value, by in zip(l2, by_optimizer, strict=True)])
        added = [0.0 if by else value for value, by in zip(l2, by_optimizer, strict=True)]
        self.l2_K = self.kept("l2", self.fits.numbers_K(l2))
        self._added_K = self.kept("added", self.fits.numbers_K(added)) if any(added) else None
        self._weights_KW, self._grads_KW = self.fits.rows.values_KP[:, :n], self.fits.rows.grads_KP[:, :n]

    def on_gradients(self) -> None:
        if self._added_K is not None:
            add_l2_gradient_(self._grads_KW, self._weights_KW, self._added_K)

    def values_K(self) -> Tensor:
        return l2_penalty_K(self._weights_KW, self.l2_K)


def l2_penalty_K(weights_KW: Tensor, l2_K: Tensor) -> Tensor:
    """(l2 / 2) * sum W^2 of each fit, in one pass without a copy."""
    from torch.linalg import vector_norm

    value_K: Tensor = 0.5 * l2_K * vector_norm(weights_KW, 2, dim=1).square()
    return value_K


def add_l2_gradient_(grads_KW: Tensor, weights_KW: Tensor, l2_K: Tensor) -> None:
    """Add l2 * W in place: one pass where autograd takes several."""
    grads_KW.addcmul_(weights_KW, l2_K.unsqueeze(1))
