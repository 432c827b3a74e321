"""What trained networks say of examples. K fits, N examples, I inputs, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.networks import MLP, class_count
from ridgeline.stack.evaluation import EVALUATION_BATCH
from ridgeline.stack.precision import predict


@torch.no_grad()
def logits_KNC(config: Config, weights: Sequence[Mapping[str, Tensor]], x_NI: Tensor) -> Tensor:
    """Of fits with the structure of `config`, whose tensors are named as `FitResult.weights` has them; dropout off."""
    stacked = {name: torch.stack([own[name] for own in weights]) for name in weights[0]}
    n_classes = class_count(config.network, list(stacked.values())[-1].shape[-1])  # of the output layer's bias
    network = MLP(config.network, len(weights), x_NI.shape[1], n_classes, dtype=x_NI.dtype, device=x_NI.device).eval()
    network.load_state_dict(stacked)
    pieces = [x_BI.expand(len(weights), -1, -1) for x_BI in x_NI.split(EVALUATION_BATCH)]
    return torch.cat([predict(network, x_KBI, config.trainer.precision) for x_KBI in pieces], dim=1)
