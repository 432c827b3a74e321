"""Loss and error of K fits over a part, dropout off. K fits, B batch, I inputs, C classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ridgeline.config import Config
from ridgeline.data import Part, Splits
from ridgeline.networks import MLP
from ridgeline.objective import data_loss_K, error_K
from ridgeline.stack.batches import Slices
from ridgeline.stack.precision import predict
from ridgeline.stack.rows import Rows

EVALUATION_BATCH = 128
"""Examples a fit at once: what layers keep of them stays in the cache."""


class Sums:
    """Loss and error of each fit, summed over slices of a part."""

    def __init__(self, part: Part, k: int, config: Config) -> None:
        self._part, self._k, self._loss, self._precision = part, k, config.loss, config.trainer.precision
        self._sums_2K = torch.zeros(2, k, dtype=part.x_NI.dtype, device=part.x_NI.device)

    def add(self, network: nn.Module, piece: slice) -> None:
        x_KBI = self._part.x_NI[piece].expand(self._k, -1, -1)
        targets_KB = self._part.y_N[piece].expand(self._k, -1)
        logits_KBC = predict(network, x_KBI, self._precision)
        batch = targets_KB.shape[1]
        self._sums_2K[0] += data_loss_K(logits_KBC, targets_KB, self._loss) * batch
        self._sums_2K[1] += error_K(logits_KBC, targets_KB) * batch

    def mean_2K(self) -> Tensor:
        return self._sums_2K / len(self._part.y_N)


@torch.no_grad()
def train_loss_and_error_2K(config: Config, rows_KP: Sequence[Tensor], splits: Splits) -> Tensor:
    """(loss, error) over the whole train part of fits with these parameter rows and the structure of `config`."""
    x_NI = splits.train.x_NI
    network = MLP(
        config.network, len(rows_KP), splits.n_features, splits.n_classes, dtype=x_NI.dtype, device=x_NI.device
    ).eval()
    Rows(network).values_KP.copy_(torch.stack(list(rows_KP)))
    sums = Sums(splits.train, len(rows_KP), config)
    for piece in Slices(len(splits.train.y_N), EVALUATION_BATCH):
        sums.add(network, piece)
    return sums.mean_2K()
