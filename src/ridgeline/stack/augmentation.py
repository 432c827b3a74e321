"""Images of a training batch, turned, moved and lit at random on the device: each fit by its own amounts and seed.

K fits, U of them augmented, B batch, I inputs (pixels of one channel), P random numbers an image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.config import AugmentationConfig, Config
from ridgeline.data import Splits
from ridgeline.noise import KeyedNoise, Purpose
from ridgeline.stack.erasing import Erasing

NUMBERS = 10
"""Random numbers that a warp takes, whichever of them are used: so an amount does not change another's draws."""


class Augmentation:
    """`load` says what the fits ask for; nothing is done for those that ask for nothing."""

    def __init__(self, noise: KeyedNoise, splits: Splits) -> None:
        self._noise, self._shape = noise, splits.image_shape
        by_fold = splits.train.x_NI.view(splits.folds, -1)
        self._background_F = by_fold.amin(dim=1)  # a pixel without ink, on whatever scale
        self._erasing = Erasing(noise, splits.image_shape, self._background_F)

    def load(self, configs: Sequence[Config]) -> None:
        example = self._background_F
        self._erasing.load(configs)
        self._used = [k for k, config in enumerate(configs) if config.augmentation.is_warped]
        self._used_U = torch.tensor(self._used, dtype=torch.int64, device=example.device)
        self._background_U11 = example[self._used_U % len(example)].view(-1, 1, 1)
        self._amount_U1 = {
            field.name: torch.tensor(
                [[getattr(configs[k].augmentation, field.name)] for k in self._used],
                dtype=example.dtype,
                device=example.device,
            )
            for field in dataclasses.fields(AugmentationConfig)
        }

    def apply_(self, x_KBI: Tensor, seeds: Sequence[int], steps: Sequence[int]) -> None:
        """Augment the batches of the fits that ask for it, in place; rectangles are erased last."""
        if self._used:
            self._warp_(x_KBI, seeds, steps)
        self._erasing.apply_(x_KBI, seeds, steps)

    def _warp_(self, x_KBI: Tensor, seeds: Sequence[int], steps: Sequence[int]) -> None:
        x_UBI = x_KBI.index_select(0, self._used_U)
        u, b, _ = x_UBI.shape
        own_seeds, own_steps = [seeds[k] for k in self._used], [steps[k] for k in self._used]
        words = self._noise.bits_KN(own_seeds, own_steps, [True] * u, b * NUMBERS // 2, Purpose.AUGMENTATION)
        uniform_UBP = words.view(torch.int32).view(u, b, NUMBERS).to(x_KBI.dtype).mul_(2.0**-32)  # in [-0.5, 0.5]
        x_KBI.index_copy_(0, self._used_U, self._augmented(x_UBI, uniform_UBP.unbind(dim=2)))

    def _augmented(self, x_UBI: Tensor, uniform: Sequence[Tensor]) -> Tensor:
        from kornia.geometry.transform import get_affine_matrix2d, warp_affine  # for those who augment alone

        turn, size, right, down, side, part, part_right, part_down, light, contrast = uniform
        amount = self._amount_U1
        assert self._shape is not None, "the configuration was checked"
        height, width = self._shape
        zoom = 1 / (1 - (part + 0.5) * amount["crop"])
        scale = (1 + 2 * size * amount["scale"]) * zoom
        mirrored = torch.where(side + 0.5 < amount["flip"], -scale, scale)
        move_x = (2 * right * amount["shift"] + part_right * (zoom - 1)) * width
        move_y = (2 * down * amount["shift"] + part_down * (zoom - 1)) * height
        centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=x_UBI.dtype).to(
            x_UBI.device, non_blocking=True
        )
        matrices = get_affine_matrix2d(
            torch.stack([move_x, move_y], dim=2).flatten(0, 1),
            centre.expand(turn.numel(), 2),
            torch.stack([mirrored, scale], dim=2).flatten(0, 1),
            (2 * turn * amount["rotate"]).flatten(),
        )
        ink = (x_UBI - self._background_U11).view(-1, 1, height, width)  # beyond the edge there is none
        moved_UBI = warp_affine(ink, matrices[:, :2], (height, width), align_corners=True).view(x_UBI.shape)
        moved_UBI.mul_((1 + 2 * contrast * amount["contrast"]).unsqueeze(2))
        return moved_UBI.add_((2 * light * amount["brightness"]).unsqueeze(2)).add_(self._background_U11)


def samples_RMHW(config: Config, splits: Splits, n_images: int = 10, n_draws: int = 4) -> Tensor:
    """The first training images, and below them what the fit's first steps may make of them: R = 1 + n_draws rows."""
    assert splits.image_shape is not None
    augmentation = Augmentation(KeyedNoise(splits.train.x_NI.device), splits)
    augmentation.load([config])
    x_MI = splits.train.x_NI[:n_images]
    x_RMI = x_MI.repeat(1 + n_draws, 1, 1)
    for step in range(n_draws):
        augmentation.apply_(x_RMI[step + 1].unsqueeze(0), [config.seed], [step])
    return x_RMI.view(1 + n_draws, len(x_MI), *splits.image_shape).cpu()
