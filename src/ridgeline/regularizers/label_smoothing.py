"""label_smoothing: targets (1 - s) * one-hot + s / C in the training loss, C classes (Szegedy et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ridgeline.regularizers.effect import Batch, Effect

if TYPE_CHECKING:
    from ridgeline.config import Config


class LabelSmoothing(Effect):
    """The loss of the task reads it from the batch."""

    order = 34

    @staticmethod
    def is_on(config: Config) -> bool:
        return config.regularization.label_smoothing > 0

    def load(self, configs: Sequence[Config]) -> None:
        self._smoothing_K = self.fits.numbers_K([config.regularization.label_smoothing for config in configs])

    def on_batch(self, batch: Batch) -> None:
        batch.smoothing_K = self._smoothing_K
