"""mixup: each example of a training batch is mixed with another one, and so are their losses (Zhang et al. 2018).

K fits, U of them mixing, B batch, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.regularizers.effect import Batch, Effect
from ridgeline.strengths import LOSS, Settings, require_at_least_0, strength

if TYPE_CHECKING:
    from ridgeline.config import Config


@dataclass(frozen=True)
class MixupSettings(Settings):
    """`mixup`: alpha of the Beta distribution that shares are drawn from."""

    mixup: float = strength(is_noise=True, not_on_module=LOSS)

    def check(self) -> None:
        require_at_least_0("regularization.mixup", self.mixup)


class Mixup(Effect):
    """x = share * x + (1 - share) * x', the share one draw of Beta(mixup, mixup) a step and fit.

    x' is the example that comes before x in the batch, as in torchvision's references: the order is random already.
    Of two categories' codes there is nothing between: it is that of the example with the larger share.
    """

    order = 32
    settings = MixupSettings

    def load(self, configs: Sequence[Config]) -> None:
        import torch

        self._alphas = [config.regularization.mixup for config in configs]
        used = [k for k, alpha in enumerate(self._alphas) if alpha > 0]
        used_U = torch.tensor(used, dtype=torch.int64, device=self.fits.rows.values_KP.device)
        codes_C = torch.tensor(self.fits.network.codes, dtype=torch.int64, device=used_U.device)
        self._used_U, self._codes_C = self.kept("used", used_U), self.kept("codes", codes_C)

    def numbers(self) -> Sequence[Sequence[float]]:
        """The share of each fit."""
        return (self.fits.noise.betas_K(self.fits.seeds, self.fits.steps, self._alphas),)

    def on_batch(self, batch: Batch) -> None:
        import torch

        from ridgeline.tasks.data_loss import Mixing

        x_KBI, share_K = batch.x_KBI, self.numbers_RK[0]
        own_UBI = x_KBI.index_select(0, self._used_U)
        share_U11 = share_K.index_select(0, self._used_U).view(-1, 1, 1)
        mixed_UBI = own_UBI * share_U11 + own_UBI.roll(1, dims=1) * (1 - share_U11)
        if len(self._codes_C):
            codes_UBC = own_UBI.index_select(2, self._codes_C)
            larger_UBC = torch.where(share_U11 >= 0.5, codes_UBC, codes_UBC.roll(1, dims=1))
            mixed_UBI.index_copy_(2, self._codes_C, larger_UBC)
        x_KBI.index_copy_(0, self._used_U, mixed_UBI)
        weights_KB = None if batch.weights_KB is None else batch.weights_KB.roll(1, dims=1)
        batch.mixing = Mixing(batch.targets_KB.roll(1, dims=1), share_K, weights_KB)
