"""input_noise: Gaussian noise of this standard deviation on the features of each training batch (Bishop 1995).

K fits, B batch, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.regularizers.effect import Batch, Effect
from ridgeline.strengths import BATCHES, Settings, require_at_least_0, strength

if TYPE_CHECKING:
    from ridgeline.config import Config


@dataclass(frozen=True)
class InputNoiseSettings(Settings):
    """`input_noise`: the standard deviation."""

    input_noise: float = strength(is_noise=True, not_on_module=BATCHES)

    def check(self) -> None:
        require_at_least_0("regularization.input_noise", self.input_noise)


class InputNoise(Effect):
    """Drawn anew in each step."""

    order = 33
    settings = InputNoiseSettings

    def load(self, configs: Sequence[Config]) -> None:
        import torch

        self._stds = [config.regularization.input_noise for config in configs]
        std_K = torch.tensor(self._stds, device=self.fits.rows.values_KP.device)
        self._std_K11 = self.kept("std", std_K).view(-1, 1, 1)
        codes_C = torch.tensor(self.fits.network.codes, dtype=torch.int64, device=std_K.device)
        self._codes_C = self.kept("codes", codes_C)

    def on_batch(self, batch: Batch) -> None:
        x_KBI, needed = batch.x_KBI, [std > 0 for std in self._stds]
        noise_KBI = self.fits.noise.normals_KN(batch.seeds, batch.steps, needed, x_KBI[0].numel()).reshape(x_KBI.shape)
        if len(self._codes_C):
            noise_KBI.index_fill_(2, self._codes_C, 0.0)  # a category plus something is none
        x_KBI.add_(noise_KBI.mul_(self._std_K11))
