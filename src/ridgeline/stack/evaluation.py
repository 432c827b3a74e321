"""Loss and error of K fits over a split, dropout off. K fits, F folds, B batch, N examples, I inputs, C classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ridgeline.config import Config
from ridgeline.data import Split, Splits
from ridgeline.networks import MLP
from ridgeline.objective import data_loss_K, error_K
from ridgeline.stack.batches import Slices
from ridgeline.stack.precision import predict
from ridgeline.stack.rows import Rows

EVALUATION_BATCH = 128
"""Examples a fit at once: what layers keep of them stays in the cache."""


def examples_of(split: Split, piece: slice, k: int) -> tuple[Tensor, Tensor]:
    """Features (K, B, I) and labels (K, B) of these rows of the folds, which `k` fits have in turn."""
    x_FBI, y_FB = (values_N.unflatten(0, (split.folds, split.n))[:, piece] for values_N in (split.x_NI, split.y_N))
    repeated = (values_FB.expand(k // split.folds, *values_FB.shape) for values_FB in (x_FBI, y_FB))
    x_KBI, y_KB = (values_RFB.flatten(0, 1) for values_RFB in repeated)  # of one fold a view, which nothing copies
    return x_KBI, y_KB


class Sums:
    """Loss and error of each fit, summed over slices of a split."""

    def __init__(self, split: Split, k: int, config: Config) -> None:
        self._split, self._k, self._loss, self._precision = split, k, config.loss, config.trainer.precision
        self._sums_2K = torch.zeros(2, k, dtype=split.x_NI.dtype, device=split.x_NI.device)

    def add(self, network: nn.Module, piece: slice) -> None:
        x_KBI, targets_KB = examples_of(self._split, piece, self._k)
        logits_KBC = predict(network, x_KBI, self._precision)
        count = self._counted(piece)
        self._sums_2K[0] += data_loss_K(logits_KBC, targets_KB, self._loss) * count
        self._sums_2K[1] += error_K(logits_KBC, targets_KB) * count

    def mean_2K(self) -> Tensor:
        return self._sums_2K / self._counted(slice(0, self._split.n))

    def _counted(self, piece: slice) -> int | Tensor:
        """How many examples these rows are, of each fit where that differs."""
        sizes = self._split.sizes or (self._split.n,)
        counts = [max(0, min(size, piece.stop) - piece.start) for size in sizes]
        if len(set(counts)) == 1:
            return counts[0]
        return torch.tensor(counts, dtype=self._sums_2K.dtype).to(self._sums_2K.device).repeat(self._k // len(sizes))


@torch.no_grad()
def train_loss_and_error_2K(config: Config, rows_KP: Sequence[Tensor], splits: Splits) -> Tensor:
    """(loss, error) over the whole train split of fits with these parameter rows and the structure of `config`.

    The fits are those of whole trials, fold after fold.
    """
    x_NI = splits.train.x_NI
    network = MLP(
        config.network, len(rows_KP), splits.n_features, splits.n_classes, dtype=x_NI.dtype, device=x_NI.device
    ).eval()
    Rows(network).values_KP.copy_(torch.stack(list(rows_KP)))
    sums = Sums(splits.train, len(rows_KP), config)
    for piece in Slices(splits.train, EVALUATION_BATCH):
        sums.add(network, piece)
    return sums.mean_2K()
