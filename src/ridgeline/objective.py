"""J of K fits: mean data loss + l1 * sum|W| + (l2 / 2) * sum W^2, over weight matrices only, never biases; and the
group lasso of hidden units.

Pure functions along the first axis; a NaN stays in its fit.
K fits, B batch, C classes, I inputs, O outputs, W penalized weights of one fit (all layers in one row).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

NEWTON_STEPS = 5
"""Of the proximal step of a group; one is exact where all step sizes are alike."""


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


def penalty_K(weights_KW: Tensor, l1_K: Tensor, l2_K: Tensor) -> Tensor:
    """l1 * sum|W| + (l2 / 2) * sum W^2 of each fit."""
    norm_K = torch.linalg.vector_norm  # one pass each, without a copy
    return l1_K * norm_K(weights_KW, 1, dim=1) + 0.5 * l2_K * norm_K(weights_KW, 2, dim=1).square()


def add_penalty_gradient_(grads_KW: Tensor, weights_KW: Tensor, l1_K: Tensor | None, l2_K: Tensor | None) -> None:
    """Add l1 * sign(W) + l2 * W, the gradient of `penalty_K`, in place: one pass where autograd takes four.

    None: of no fit, which saves the pass.
    """
    if l2_K is not None:
        grads_KW.addcmul_(weights_KW, l2_K.unsqueeze(1))
    if l1_K is not None:
        grads_KW.addcmul_(torch.sign(weights_KW), l1_K.unsqueeze(1))


def shrink_(weights_KW: Tensor, by_KW: Tensor) -> None:
    """Soft threshold, the proximal step of l1, in place: towards 0 by `by`, and to exactly 0 where that is as far."""
    weights_KW.sub_(weights_KW.clamp(-by_KW, by_KW))


def group_lasso_K(weights_KIO: Sequence[Tensor], strength_K: Tensor) -> Tensor:
    """strength * sum of sqrt(I) * ||w||_2 over each layer's units, w a unit's I incoming weights (Yuan, Lin 2006)."""
    norms_LK = [math.sqrt(w.shape[1]) * torch.linalg.vector_norm(w, dim=1).sum(dim=1) for w in weights_KIO]
    return strength_K * torch.stack(norms_LK).sum(dim=0)


def add_group_lasso_gradient_(grad_KIO: Tensor, weight_KIO: Tensor, strength_K: Tensor) -> None:
    """Add strength * sqrt(I) * w / ||w||_2 of each unit of a layer, in place; nothing at w = 0."""
    norm_K1O = torch.linalg.vector_norm(weight_KIO, dim=1, keepdim=True)
    factor_K1O = math.sqrt(weight_KIO.shape[1]) * strength_K.view(-1, 1, 1) / norm_K1O
    grad_KIO.addcmul_(weight_KIO, torch.where(norm_K1O > 0, factor_K1O, 0.0))


def shrink_groups_(weight_KIO: Tensor, sizes_KIO: Tensor, strength_K: Tensor) -> None:
    """The proximal step of `group_lasso_K` in step sizes s, in place; a strength of 0 leaves its fit as it is.

    Each unit's incoming weights z become argmin over w of sum (w - z)^2 / (2 s) + t ||w||_2, t = strength * sqrt(I):
    exactly 0 where ||z / s||_2 <= t, and else z * r / (r + t s) with r = ||w||_2, the root of ||z / (r + t s)||_2 = 1.
    Where all s are alike that is z * (1 - t s / ||z||_2). 1 / ||z / (r + t s)||_2 is concave in r and nearly a line, so
    Newton's steps to 1 come, after the first, from below, and no unit is set to 0 or kept by a rounded r.
    """
    strength_K11, tiny = strength_K.view(-1, 1, 1), torch.finfo(weight_KIO.dtype).tiny
    moves_KIO = (sizes_KIO * (math.sqrt(weight_KIO.shape[1]) * strength_K11)).clamp_min_(tiny)  # 0 / 0 is no number
    stays_K1O = (weight_KIO / moves_KIO).square_().sum(dim=1, keepdim=True) > 1
    squares_KIO = weight_KIO.square()
    r_K1O = squares_KIO.sum(dim=1, keepdim=True).sqrt_()
    for _ in range(NEWTON_STEPS):
        inverse_KIO = (moves_KIO + r_K1O).reciprocal_()
        shares_KIO = (squares_KIO * inverse_KIO).mul_(inverse_KIO)
        square_K1O = shares_KIO.sum(dim=1, keepdim=True)
        slope_K1O = shares_KIO.mul_(inverse_KIO).sum(dim=1, keepdim=True).clamp_min_(tiny)
        r_K1O = (r_K1O + square_K1O * (square_K1O.sqrt() - 1) / slope_K1O).clamp_min_(0)
    factor_KIO = torch.where(stays_K1O, r_K1O / (moves_KIO + r_K1O), 0.0)
    weight_KIO.mul_(torch.where(strength_K11 > 0, factor_KIO, 1.0))


def limit_norms_(weight_KIO: Tensor, max_norm_K: Tensor) -> None:
    """Scale each unit's incoming weights down to its fit's largest norm, in place; infinity leaves them as they are."""
    norm_K1O = torch.linalg.vector_norm(weight_KIO, dim=1, keepdim=True)
    max_norm_K11 = max_norm_K.view(-1, 1, 1)
    weight_KIO.mul_(torch.where(norm_K1O > max_norm_K11, max_norm_K11 / norm_K1O, 1.0))


def error_K(logits_KBC: Tensor, targets_KB: Tensor, mixing: Mixing | None = None) -> Tensor:
    """The share of each fit's batch whose largest logit is not the target's, in [0, 1]; mixed as the loss is."""
    predicted_KB = logits_KBC.argmax(dim=2)
    own_K = (predicted_KB != targets_KB).to(logits_KBC.dtype).mean(dim=1)
    if mixing is None:
        return own_K
    return mixing.of(own_K, (predicted_KB != mixing.targets_KB).to(logits_KBC.dtype).mean(dim=1))
