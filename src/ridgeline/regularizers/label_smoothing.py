"""label_smoothing: targets (1 - s) * one-hot + s / C in the training loss, C classes (Szegedy et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.checking import require
from ridgeline.regularizers.effect import Batch, Effect
from ridgeline.strengths import LOSS, Settings, require_share, strength

if TYPE_CHECKING:
    from ridgeline.config import Config


@dataclass(frozen=True)
class LabelSmoothingSettings(Settings):
    """`label_smoothing`: the share s."""

    label_smoothing: float = strength(not_on_module=LOSS)

    def check(self) -> None:
        require_share("regularization.label_smoothing", self.label_smoothing)

    def check_beside(self, config: Config) -> None:
        rule, key = "regularization.label_smoothing == 0 unless loss == cross_entropy", "regularization.label_smoothing"
        require(self.label_smoothing == 0 or config.loss.name == "cross_entropy", rule, key, self.label_smoothing)


class LabelSmoothing(Effect):
    """The loss of the task reads it from the batch."""

    order = 34
    settings = LabelSmoothingSettings

    def load(self, configs: Sequence[Config]) -> None:
        smoothing_K = self.fits.numbers_K([config.regularization.label_smoothing for config in configs])
        self._smoothing_K = self.kept("smoothing", smoothing_K)

    def on_batch(self, batch: Batch) -> None:
        batch.smoothing_K = self._smoothing_K
