"""max_norm: a largest norm of each unit's incoming weights (Srivastava et al. 2014).

K fits, I inputs, O outputs of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.regularizers.effect import Effect
from ridgeline.regularizers.penalized import penalized_layers
from ridgeline.strengths import Settings, require_at_least_0, require_layers, strength

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config


@dataclass(frozen=True)
class MaxNormSettings(Settings):
    """`max_norm`: the largest norm."""

    max_norm: float = strength(forms=("penalize",), in_objective=False)

    def check(self) -> None:
        require_at_least_0("regularization.max_norm", self.max_norm)

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        require_layers("regularization.max_norm", self.max_norm, n_layers)


class MaxNorm(Effect):
    """After each step the weights w that enter a unit become w * min(1, max_norm / ||w||_2)."""

    order = 13
    settings = MaxNormSettings

    def load(self, configs: Sequence[Config]) -> None:
        norms = [config.regularization.max_norm for config in configs]
        self._max_norm_K = self.kept("max_norm", self.fits.numbers_K([norm or math.inf for norm in norms]))

    def after_step(self) -> None:
        for weight in penalized_layers(self.fits.configs[0], self.fits.network):
            limit_norms_(weight.value_KIO, self._max_norm_K)


def limit_norms_(weight_KIO: Tensor, max_norm_K: Tensor) -> None:
    """Scale each unit's incoming weights down to its fit's largest norm, in place; infinity leaves them as they are."""
    import torch

    norm_K1O = torch.linalg.vector_norm(weight_KIO, dim=1, keepdim=True)
    max_norm_K11 = max_norm_K.view(-1, 1, 1)
    weight_KIO.mul_(torch.where(norm_K1O > max_norm_K11, max_norm_K11 / norm_K1O, 1.0))
