"""The data loss and the error of K fits: pure functions along the first axis; a NaN stays in its fit.

K fits, B batch, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Mixing:
    """What mixup makes of a batch's loss: `targets` are those of the examples that were mixed in, `share` is what is
    left of each example, 1 in a fit that mixes nothing."""

    targets_KB: Tensor
    share_K: Tensor

    def of(self, own_K: Tensor, other_K: Tensor) -> Tensor:
        """share * own + (1 - share) * other; `own` as it is where the share is 1, though the other be infinite."""
        return torch.where(self.share_K < 1, self.share_K * own_K + (1 - self.share_K) * other_K, own_K)


def data_loss_K(
    logits_KBC: Tensor,
    targets_KB: Tensor,
    loss: Literal["cross_entropy", "hinge"],
    smoothing_K: Tensor | None = None,
    mixing: Mixing | None = None,
) -> Tensor:
    """The mean loss of each fit over its batch.

    cross_entropy: of the softmax, in nats; with smoothing s against (1 - s) * one-hot + s / C (Szegedy et al. 2016; as
    torch defines it; None: of no fit). hinge: sum over j != y of max(0, s_j - s_y + 1) (Weston, Watkins 1999).
    `mixing` (None: of no fit) makes of either share * loss + (1 - share) * loss for the other targets.
    """
    if loss == "cross_entropy":  # classes in the middle: the softmax then runs along the batch, four times as fast
        log_p_KCB = F.log_softmax(logits_KBC.transpose(1, 2), dim=1)
        loss_K = F.nll_loss(log_p_KCB, targets_KB, reduction="none").mean(dim=1)
        if mixing is not None:
            loss_K = mixing.of(loss_K, F.nll_loss(log_p_KCB, mixing.targets_KB, reduction="none").mean(dim=1))
        if smoothing_K is None:
            return loss_K
        return (1 - smoothing_K) * loss_K - smoothing_K * log_p_KCB.mean(dim=(1, 2))
    loss_K = _hinge_K(logits_KBC, targets_KB)
    return loss_K if mixing is None else mixing.of(loss_K, _hinge_K(logits_KBC, mixing.targets_KB))


def _hinge_K(logits_KBC: Tensor, targets_KB: Tensor) -> Tensor:
    target_logits_KB1 = logits_KBC.gather(2, targets_KB.unsqueeze(2))
    margins_KBC = (logits_KBC - target_logits_KB1 + 1).clamp_min(0)
    margins_KBC = margins_KBC.scatter(2, targets_KB.unsqueeze(2), 0)  # j == y does not count
    return margins_KBC.sum(dim=2).mean(dim=1)


def error_K(logits_KBC: Tensor, targets_KB: Tensor, mixing: Mixing | None = None) -> Tensor:
    """The share of each fit's batch whose largest logit is not the target's, in [0, 1]; mixed as the loss is."""
    predicted_KB = logits_KBC.argmax(dim=2)
    own_K = (predicted_KB != targets_KB).to(logits_KBC.dtype).mean(dim=1)
    if mixing is None:
        return own_K
    return mixing.of(own_K, (predicted_KB != mixing.targets_KB).to(logits_KBC.dtype).mean(dim=1))
