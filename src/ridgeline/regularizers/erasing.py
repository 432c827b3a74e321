"""augmentation.erase: rectangles of training images erased at random (Zhong et al. 2020).

K fits, U of them erasing, F folds, B batch, I inputs: an image's pixels, one of its C channels after the other; H and W
its sides, P random numbers of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.checking import require
from ridgeline.regularizers.augmentation import background_FC, require_images
from ridgeline.regularizers.effect import Batch, Effect, Fits
from ridgeline.strengths import BATCHES, Settings, strength

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config

AREA = (0.02, 0.33)
"""Of the image: what torchvision's and kornia's RandomErasing take."""
RATIO = (0.3, 1.0)
"""Of the shorter side to the longer one."""
NUMBERS = 6


@dataclass(frozen=True)
class ErasingSettings(Settings):
    """`erase`: the probability of a rectangle."""

    group = "augmentation"
    erase: float = strength(is_noise=True, not_on_module=BATCHES)

    def check(self) -> None:
        key = "augmentation.erase"
        require(0 <= self.erase <= 1, f"0 <= {key} <= 1", key, self.erase)

    def check_beside(self, config: Config) -> None:
        if self.erase > 0:
            require_images(config)


class Erasing(Effect):
    """After the other augmentations, with draws of its own: theirs stay as they are.

    Area and ratio are drawn evenly, the rectangle lies or stands with equal chance; its sides are whole pixels, cut to
    the image's, and each place in the image is equally likely. What is erased becomes background.
    """

    order = 31
    settings = ErasingSettings

    def attach(self, fits: Fits) -> None:
        super().attach(fits)
        self._background_FC = background_FC(fits)

    def load(self, configs: Sequence[Config]) -> None:
        import torch

        example = self._background_FC
        self._needed = [self.is_on(config) for config in configs]
        used = [k for k, is_used in enumerate(self._needed) if is_used]
        self._used_U = self.kept("used", torch.tensor(used, dtype=torch.int64, device=example.device))
        background_UC = self.kept("background", example[self._used_U % len(example)])
        self._background_U1C1 = background_UC.unsqueeze(1).unsqueeze(3)
        rates = [[configs[k].augmentation.erase] for k in used]
        self._rate_U1 = self.kept("rates", torch.tensor(rates, dtype=example.dtype, device=example.device))

    def on_batch(self, batch: Batch) -> None:
        import torch

        from ridgeline.networks.stacking.noise import Purpose

        x_KBI = batch.x_KBI
        b, n_words = x_KBI.shape[1], x_KBI.shape[1] * NUMBERS // 2
        words_KN = self.fits.noise.bits_KN(batch.seeds, batch.steps, self._needed, n_words, Purpose.ERASING)
        words_UN = words_KN.index_select(0, self._used_U)
        uniform_UBP = (
            words_UN.view(torch.int32).view(-1, b, NUMBERS).to(x_KBI.dtype).mul_(2.0**-32).add_(0.5)
        )  # in [0, 1]
        erased_UB1P = self._erased_UBP(uniform_UBP.unbind(dim=2)).unsqueeze(2)
        kept_UBI = x_KBI.index_select(0, self._used_U)
        kept_UBCP = kept_UBI.unflatten(2, (self._background_U1C1.shape[2], -1))
        changed_UBCP = torch.where(erased_UB1P, self._background_U1C1, kept_UBCP)
        x_KBI.index_copy_(0, self._used_U, changed_UBCP.flatten(2))

    def _erased_UBP(self, uniform: Sequence[Tensor]) -> Tensor:
        """Whether a pixel is erased, in all channels."""
        import torch

        happens, area, ratio, stands, down, right = uniform
        assert self.fits.splits.image_shape is not None, "the configuration was checked"
        _, height, width = self.fits.splits.image_shape
        pixels = height * width * (AREA[0] + area * (AREA[1] - AREA[0]))
        part = RATIO[0] + ratio * (RATIO[1] - RATIO[0])
        short, long = (pixels * part).sqrt_(), (pixels / part).sqrt_()
        is_tall = stands < 0.5
        in_rows_UBH = _within(down, torch.where(is_tall, long, short), height)
        in_columns_UBW = _within(right, torch.where(is_tall, short, long), width)
        happens_UB11 = (happens <= self._rate_U1)[..., None, None]
        return (in_rows_UBH.unsqueeze(3) & in_columns_UBW.unsqueeze(2) & happens_UB11).flatten(2)


def _within(place_UB: Tensor, length_UB: Tensor, side: int) -> Tensor:
    """Which of so many places in a row the stretch of this length covers; (U, B, side)."""
    import torch

    length_UB = length_UB.round().clamp_(1, side)
    first_UB1 = (place_UB * (side - length_UB + 1)).floor_().minimum(side - length_UB).unsqueeze(2)
    places = torch.arange(side, dtype=place_UB.dtype, device=place_UB.device)
    return (places >= first_UB1) & (places < first_UB1 + length_UB.unsqueeze(2))
