"""Mixup: each example of a training batch is mixed with another one, and so are their losses.

K fits, U of them mixing, B batch, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.noise import KeyedNoise
from ridgeline.objective import Mixing


class Mixup:
    """x = share * x + (1 - share) * x', the share one draw of Beta(alpha, alpha) a step and fit (Zhang et al. 2018).

    x' is the example that comes before x in the batch, as in torchvision's references: the order is random already.
    """

    def __init__(self, noise: KeyedNoise, device: torch.device) -> None:
        self._noise, self._device = noise, device

    def load(self, configs: Sequence[Config]) -> None:
        self._alphas = [config.regularization.mixup for config in configs]
        used = [k for k, alpha in enumerate(self._alphas) if alpha > 0]
        self._used_U = torch.tensor(used, dtype=torch.int64, device=self._device)

    def apply_(self, x_KBI: Tensor, targets_KB: Tensor, seeds: Sequence[int], steps: Sequence[int]) -> Mixing | None:
        """Mix the batches of the fits that ask for it, in place; None where none does."""
        if not any(self._alphas):
            return None
        shares = self._noise.betas_K(seeds, steps, self._alphas)
        share_K = torch.tensor(shares, dtype=x_KBI.dtype).to(self._device, non_blocking=True)
        own_UBI = x_KBI.index_select(0, self._used_U)
        share_U11 = share_K.index_select(0, self._used_U).view(-1, 1, 1)
        x_KBI.index_copy_(0, self._used_U, own_UBI * share_U11 + own_UBI.roll(1, dims=1) * (1 - share_U11))
        return Mixing(targets_KB.roll(1, dims=1), share_K)
