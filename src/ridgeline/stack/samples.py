"""What augmentation makes of training images, to be looked at. R rows of M images, C channels, H and W their sides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import Splits
from ridgeline.networks.stacking.noise import KeyedNoise
from ridgeline.regularizers import Batch, all_effects

FIRST = slice(10)


def samples_RMCHW(config: Config, splits: Splits, rows: slice | Tensor = FIRST, n_draws: int = 4) -> Tensor:
    """Some training images, and below them what the fit's first steps may make of them: R = 1 + n_draws rows, in
    the data's own units."""
    assert splits.image_shape is not None
    fits: Any = SimpleNamespace(noise=KeyedNoise(splits.train.x_NI.device), splits=splits)
    x_MI, y_M = splits.train.features_MI(rows), splits.train.y_N[rows]
    x_RMI = x_MI.repeat(1 + n_draws, 1, 1)
    for effect in all_effects():
        if effect.settings is not None and effect.settings.group == "augmentation" and effect.is_on(config):
            effect.attach(fits)
            effect.load([config])
            for step in range(n_draws):
                effect.on_batch(Batch(x_RMI[step + 1].unsqueeze(0), y_M.unsqueeze(0), [config.seed], [step]))
    own_RMI = torch.from_numpy(splits.scalers[0].undo(x_RMI.flatten(0, 1).cpu().numpy()))
    return own_RMI.view(1 + n_draws, len(x_MI), *splits.image_shape)
