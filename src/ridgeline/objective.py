"""J of K fits: mean data loss + l1 * sum|W| + (l2 / 2) * sum W^2, over weight matrices only, never biases.

Pure functions along the first axis; a NaN stays in its fit.
K fits, B batch, C classes, I inputs, O outputs, W penalized weights of one fit (all layers in one row).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def data_loss_K(
    logits_KBC: Tensor,
    targets_KB: Tensor,
    loss: Literal["cross_entropy", "hinge"],
    smoothing_K: Tensor | None = None,
) -> Tensor:
    """The mean loss of each fit over its batch.

    cross_entropy: of the softmax, in nats; with smoothing s against (1 - s) * one-hot + s / C (Szegedy et al. 2016; as
    torch defines it; None: of no fit). hinge: sum over j != y of max(0, s_j - s_y + 1) (Weston, Watkins 1999).
    """
    if loss == "cross_entropy":  # classes in the middle: the softmax then runs along the batch, four times as fast
        log_p_KCB = F.log_softmax(logits_KBC.transpose(1, 2), dim=1)
        loss_K = F.nll_loss(log_p_KCB, targets_KB, reduction="none").mean(dim=1)
        if smoothing_K is None:
            return loss_K
        return (1 - smoothing_K) * loss_K - smoothing_K * log_p_KCB.mean(dim=(1, 2))
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


def limit_norms_(weight_KIO: Tensor, max_norm_K: Tensor) -> None:
    """Scale each unit's incoming weights down to its fit's largest norm, in place; infinity leaves them as they are."""
    norm_K1O = torch.linalg.vector_norm(weight_KIO, dim=1, keepdim=True)
    max_norm_K11 = max_norm_K.view(-1, 1, 1)
    weight_KIO.mul_(torch.where(norm_K1O > max_norm_K11, max_norm_K11 / norm_K1O, 1.0))


def objective_K(
    logits_KBC: Tensor,
    targets_KB: Tensor,
    weights_KW: Tensor,
    l1_K: Tensor,
    l2_K: Tensor,
    loss: Literal["cross_entropy", "hinge"] = "cross_entropy",
) -> Tensor:
    """J of each fit: what training minimizes."""
    return data_loss_K(logits_KBC, targets_KB, loss) + penalty_K(weights_KW, l1_K, l2_K)


def error_K(logits_KBC: Tensor, targets_KB: Tensor) -> Tensor:
    """The share of each fit's batch whose largest logit is not the target's, in [0, 1]."""
    return (logits_KBC.argmax(dim=2) != targets_KB).to(logits_KBC.dtype).mean(dim=1)
