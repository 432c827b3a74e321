"""optimizer.gradient_clip_val: each fit's gradient, penalties included, is scaled down to a largest norm of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ridgeline.regularizers.effect import Effect

if TYPE_CHECKING:
    from ridgeline.config import Config


class GradientClipping(Effect):
    """As torch.nn.utils.clip_grad_norm_, for each fit by itself."""

    order = 14

    @classmethod
    def is_on(cls, config: Config) -> bool:
        return config.optimizer.gradient_clip_val is not None

    def load(self, configs: Sequence[Config]) -> None:
        clips = [config.optimizer.gradient_clip_val for config in configs]
        norm_K = self.fits.numbers_K([math.inf if clip is None else clip for clip in clips])
        self._norm_K = self.kept("norm", norm_K)

    def on_gradients(self) -> None:
        self.fits.rows.clip_gradients_(self._norm_K)
