"""The mean data loss of K fits over their batches: what the penalties are added to.

K fits, B batch, C classes, N examples, F folds. A NaN stays in its fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.tasks.losses import CrossEntropy, Loss


@dataclass(frozen=True)
class Mixing:
    """What mixup makes of a batch's loss: `targets` are those of the examples that were mixed in, `share` is what is
    left of each example, 1 in a fit that mixes nothing. `weights` are those of the examples that were mixed in."""

    targets_KB: Tensor
    share_K: Tensor
    weights_KB: Tensor | None = None

    def of(self, own_K: Tensor, other_K: Tensor) -> Tensor:
        """share * own + (1 - share) * other; `own` as it is where the share is 1, though the other be infinite."""
        return torch.where(self.share_K < 1, self.share_K * own_K + (1 - self.share_K) * other_K, own_K)


def mean_K(values_KB: Tensor, weights_KB: Tensor | None) -> Tensor:
    """Of weight * value."""
    return (values_KB if weights_KB is None else values_KB * weights_KB).mean(dim=1)


class DataLoss:
    """A loss with the weights of the classes; None: all count alike."""

    def __init__(self, loss: Loss, weights_KC: Tensor | None = None) -> None:
        self.loss, self.weights_KC = loss, weights_KC

    def mean_K(
        self,
        outputs_KBO: Tensor,
        targets_KB: Tensor,
        smoothing_K: Tensor | None = None,
        mixing: Mixing | None = None,
        weights_KB: Tensor | None = None,
    ) -> Tensor:
        """The mean of each fit over its batch; of weight * loss, where examples have weights (None: they have none).

        It is not divided by the weights of the batch: their mean over the split is 1, so that the mean over all batches
        of an epoch is the weighted mean over the split, whatever examples come together.

        With smoothing s, of cross_entropy alone, against (1 - s) * one-hot + s / C (Szegedy et al. 2016; as torch
        defines it; None: of no fit). `mixing` (None: of no fit): share * loss + (1 - share) * loss for the other
        targets.
        """
        prepared = self.loss.prepared(outputs_KBO)
        loss_K = mean_K(self._each_KB(prepared, targets_KB), weights_KB)
        if mixing is not None:
            loss_K = mixing.of(loss_K, mean_K(self._each_KB(prepared, mixing.targets_KB), mixing.weights_KB))
        if smoothing_K is None:
            return loss_K
        assert isinstance(self.loss, CrossEntropy)
        return (1 - smoothing_K) * loss_K + smoothing_K * self.loss.smooth_K(prepared, self.weights_KC, weights_KB)

    def each_KB(self, outputs_KBO: Tensor, targets_KB: Tensor) -> Tensor:
        """The loss of each example."""
        return self._each_KB(self.loss.prepared(outputs_KBO), targets_KB)

    def _each_KB(self, prepared: Tensor, targets_KB: Tensor) -> Tensor:
        losses_KB = self.loss.each_KB(prepared, targets_KB)
        return losses_KB if self.weights_KC is None else losses_KB * self.weights_KC.gather(1, targets_KB)


def balanced_weights_FC(labels_FN: Tensor, n_classes: int, like: Tensor, weights_FN: Tensor | None = None) -> Tensor:
    """N / (C * N_c) of each fold's labels, in the type of `like`: their mean over the examples is 1. An example counts
    as much as its weight."""
    weights = [None] * len(labels_FN) if weights_FN is None else list(weights_FN)
    counts_FC = torch.stack(
        [torch.bincount(labels_N, own, minlength=n_classes) for labels_N, own in zip(labels_FN, weights, strict=True)]
    )
    return (labels_FN.shape[1] / (n_classes * counts_FC)).to(like.dtype)
