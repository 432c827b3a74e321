"""The keys of the group `augmentation` but `erase`: images of a training batch, turned, moved and lit at random.

K fits, U of them augmented, F folds, B batch, I inputs: an image's pixels, one of its C channels after the other; H and
W its sides, P random numbers an image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.checking import require
from ridgeline.regularizers.effect import Batch, Effect, Fits
from ridgeline.regularizers.warp import Warp
from ridgeline.strengths import BATCHES, Settings, strength

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config

IMAGES = ("digits", "mnist", "own", "images", "arrays")
"""Data of images, and those of the user's own, which may be: once they are read, it is known."""

SCALES = ("none", "all", "channel")

BOTH_WAYS = ("rotate", "scale", "shift", "brightness", "contrast")
"""Amounts to either side."""

NUMBERS = 10
"""Random numbers that a warp takes, whichever of them are used: so an amount does not change another's draws."""


@dataclass(frozen=True)
class AugmentationSettings(Settings):
    """`rotate`: degrees to either side. `scale`: size times 1 - scale to 1 + scale. `shift`: share of the side, to all
    sides. `flip`: probability of left for right. `crop`: up to this share of the side is cut off, and the rest fills
    the image. `brightness`: added, up or down. `contrast`: the image less its background times 1 +- contrast.
    """

    group = "augmentation"
    rotate: float = strength(is_noise=True, not_on_module=BATCHES)
    scale: float = strength(is_noise=True, not_on_module=BATCHES)
    shift: float = strength(is_noise=True, not_on_module=BATCHES)
    flip: float = strength(is_noise=True, not_on_module=BATCHES)
    crop: float = strength(is_noise=True, not_on_module=BATCHES)
    brightness: float = strength(is_noise=True, not_on_module=BATCHES)
    contrast: float = strength(is_noise=True, not_on_module=BATCHES)

    def check(self) -> None:
        for name, most in {"rotate": 180, "shift": 1, "flip": 1, "contrast": 1}.items():
            key, value = f"augmentation.{name}", getattr(self, name)
            require(0 <= value <= most, f"0 <= {key} <= {most}", key, value)
        for name, limit in {"scale": "1", "crop": "1", "brightness": "inf"}.items():
            key, value = f"augmentation.{name}", getattr(self, name)
            require(0 <= value < float(limit), f"0 <= {key} < {limit}", key, value)

    def check_beside(self, config: Config) -> None:
        if AugmentationSettings.is_on_in(config):
            require_images(config)


def require_images(config: Config) -> None:
    """In which a moved pixel means in its new place what it meant before."""
    name, standardize = config.data.name, config.data.standardize
    require(
        name in IMAGES,
        "augmentation only of images (data=images, arrays, digits, mnist or one's own)",
        "data.name",
        name,
    )
    rule = "data.standardize is none, all or channel with augmentation"
    require(standardize in SCALES, rule, "data.standardize", standardize)


class Augmentation(Effect):
    """One warp of the whole batch on the device, the same for all channels of an image; each fit by its own amounts and
    seed."""

    order = 30
    settings = AugmentationSettings

    def attach(self, fits: Fits) -> None:
        super().attach(fits)
        self._background_FC = background_FC(fits)
        _, height, width = fits.splits.image_shape or (1, 1, 1)
        self._warp = Warp(height, width, self._background_FC)

    def load(self, configs: Sequence[Config]) -> None:
        import torch

        example = self._background_FC
        self._needed = [self.is_on(config) for config in configs]
        used = [k for k, is_used in enumerate(self._needed) if is_used]
        self._used_U = self.kept("used", torch.tensor(used, dtype=torch.int64, device=example.device))
        background_UC = self.kept("background", example[self._used_U % len(example)])
        self._background_U1C1 = background_UC.unsqueeze(1).unsqueeze(3)
        amounts = {
            field.name: [[getattr(configs[k].augmentation, field.name)] for k in used]
            for field in dataclasses.fields(configs[0].augmentation)
        }
        table = self.kept("amounts", torch.tensor([*amounts.values()], dtype=example.dtype).to(example.device))
        self._amount_U1 = dict(zip(amounts, table.unbind(), strict=True))
        # Of numbers from -0.5 to 0.5.
        doubled = dict(zip(amounts, self.kept("doubled", 2 * table).unbind(), strict=True))
        self._amount_U1 |= {name: doubled[name] for name in BOTH_WAYS}

    def on_batch(self, batch: Batch) -> None:
        import torch

        from ridgeline.networks.stacking.noise import Purpose

        x_UBI = batch.x_KBI.index_select(0, self._used_U)
        u, b, _ = x_UBI.shape
        n_words, purpose = b * NUMBERS // 2, Purpose.AUGMENTATION
        words_KN = self.fits.noise.bits_KN(batch.seeds, batch.steps, self._needed, n_words, purpose)
        words_UN = words_KN.index_select(0, self._used_U)
        uniform_UBP = words_UN.view(torch.int32).view(u, b, NUMBERS).to(x_UBI.dtype).mul_(2.0**-32)  # in [-0.5, 0.5]
        batch.x_KBI.index_copy_(0, self._used_U, self.augmented_UBI(x_UBI, uniform_UBP.unbind(dim=2)))

    def augmented_UBI(self, x_UBI: Tensor, uniform: Sequence[Tensor]) -> Tensor:
        import torch

        turn, size, right, down, side, part, part_right, part_down, light, contrast = uniform
        amount = self._amount_U1
        assert self.fits.splits.image_shape is not None, "the configuration was checked"
        n_channels, height, width = self.fits.splits.image_shape
        zoom = 1 / (1 - (part + 0.5) * amount["crop"])
        scale = (1 + size * amount["scale"]) * zoom
        mirrored = torch.where(side + 0.5 < amount["flip"], -scale, scale)
        move_x = (right * amount["shift"] + part_right * (zoom - 1)) * width
        move_y = (down * amount["shift"] + part_down * (zoom - 1)) * height
        pixels_UBCP = x_UBI.unflatten(2, (n_channels, height * width))
        ink = (pixels_UBCP - self._background_U1C1).view(-1, n_channels, height, width)  # beyond the edge there is none
        moves = (turn * amount["rotate"], mirrored, scale, torch.stack([move_x, move_y]))
        moved_UBI = self._warp(ink, *(each.flatten(-2) for each in moves)).view(x_UBI.shape)
        moved_UBI.mul_((1 + contrast * amount["contrast"]).unsqueeze(2))
        moved_UBI.add_((light * amount["brightness"]).unsqueeze(2))
        moved_UBI.view(pixels_UBCP.shape).add_(self._background_U1C1)
        return moved_UBI


def background_FC(fits: Fits) -> Tensor:
    """A pixel without ink in each fold, on whatever scale: the least value of each channel."""
    splits = fits.splits
    n_channels = 1 if splits.image_shape is None else splits.image_shape[0]  # of a table nobody will ask
    return splits.train.least_FC(n_channels)
