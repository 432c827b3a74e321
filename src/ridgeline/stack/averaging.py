"""An average of the weights over a fit's steps, which is validated and kept in their place.

K fits, P parameters of one fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ridgeline.config import Config
from ridgeline.stack.rows import Rows


class WeightAverage(nn.Module):
    """Exponential moving averages with the decay `weight_average`, a fit each; nothing where no fit has one.

    After t steps the weights of step i count (1 - d) * d**(t - i) / (1 - d**t): corrected for the start as Adam's
    moments are, where torch's swa_utils lets the first step's weights count d**(t - 1), most of the sum for many steps.
    """

    values_KP: Tensor | None

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self._rows = rows
        self._trained_KP: Tensor | None = None
        self.register_buffer("values_KP", None)

    def load(self, k: int, configs: Sequence[Config]) -> None:
        """Row `k` has a fresh fit."""
        self._decays = [config.regularization.weight_average for config in configs]
        if not any(self._decays):
            self.values_KP = None
        elif self.values_KP is None:
            self.values_KP = self._rows.values_KP.clone()
        else:
            self.values_KP[k] = self._rows.values_KP[k]  # whatever the fit before left: NaN times 0 is NaN

    @torch.no_grad()
    def update(self, steps_K: Sequence[int]) -> None:
        """Take in the weights after each fit's `steps`-th step."""
        if self.values_KP is not None:
            new_K = [(1 - d) / (1 - d**steps) for d, steps in zip(self._decays, steps_K, strict=True)]
            self.values_KP.lerp_(self._rows.values_KP, self._column_K1(new_K))

    def put_in(self) -> None:
        """The network becomes the averaged one, where a fit has an average."""
        if self.values_KP is not None:
            has_one_K1 = self._column_K1(self._decays) > 0
            self._trained_KP = self._rows.values_KP.clone()
            self._rows.values_KP.copy_(torch.where(has_one_K1, self.values_KP, self._trained_KP))

    def take_out(self) -> None:
        """The network becomes the trained one again."""
        if self._trained_KP is not None:
            self._rows.values_KP.copy_(self._trained_KP)
            self._trained_KP = None

    def _column_K1(self, values_K: Sequence[float]) -> Tensor:
        example = self._rows.values_KP
        return torch.tensor(values_K, dtype=example.dtype).to(example.device, non_blocking=True).unsqueeze(1)
