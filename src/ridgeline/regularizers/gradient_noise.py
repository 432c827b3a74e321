"""gradient_noise: Gaussian noise joins the gradients, less of it with every step (Neelakantan et al. 2015).

K fits, U of them with noise, P parameters of one fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.checking import require
from ridgeline.regularizers.effect import Effect
from ridgeline.strengths import Settings, require_at_least_0, strength

if TYPE_CHECKING:
    from ridgeline.config import Config

DECAY = 0.55
"""The variance after t steps is that of the first divided by (1 + t)**0.55."""


@dataclass(frozen=True)
class GradientNoiseSettings(Settings):
    """`gradient_noise`: the standard deviation in the first step."""

    gradient_noise: float = strength(is_noise=True, in_objective=False)

    def check(self) -> None:
        require_at_least_0("regularization.gradient_noise", self.gradient_noise)

    def check_on_module(self, config: Config) -> None:
        """It joins the gradients before Lightning clips them."""
        key, clip = "trainer.gradient_clip_val", dict(config.trainer.lightning).get("gradient_clip_val")
        require(self.gradient_noise == 0 or not clip, f"{key} is null with regularization.gradient_noise", key, clip)


class GradientNoise(Effect):
    """After clipping, as in the source, so that the noise is not clipped."""

    order = 15
    settings = GradientNoiseSettings

    def load(self, configs: Sequence[Config]) -> None:
        import torch

        self._stds = [config.regularization.gradient_noise for config in configs]
        used = [k for k, std in enumerate(self._stds) if std > 0]
        used_U = torch.tensor(used, dtype=torch.int64, device=self.fits.rows.grads_KP.device)
        self._used_U = self.kept("used", used_U)

    def numbers(self) -> Sequence[Sequence[float]]:
        """The deviation of each fit's noise."""
        return ([std * (1 + t) ** (-DECAY / 2) for std, t in zip(self._stds, self.fits.steps, strict=True)],)

    def on_gradients(self) -> None:
        from ridgeline.networks.stacking.noise import purpose_of

        grads_KP = self.fits.rows.grads_KP
        fits, n, purpose = self.fits, grads_KP.shape[1], purpose_of("gradient_noise")
        noise_KP = fits.noise.normals_KN(fits.seeds, fits.steps, [std > 0 for std in self._stds], n, purpose)
        noise_UP = noise_KP.index_select(0, self._used_U).to(grads_KP.dtype)
        if fits.rows.used_P is not None:
            noise_UP *= fits.rows.used_P
        grads_KP.index_add_(0, self._used_U, noise_UP * self.numbers_RK[0].index_select(0, self._used_U).unsqueeze(1))
