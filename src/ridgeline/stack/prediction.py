"""What trained networks say of examples. K fits, N examples, I inputs, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import load_splits
from ridgeline.stack.evaluation import EVALUATION_BATCH
from ridgeline.stack.networks import shape_of, stacked_network
from ridgeline.stack.precision import predict


@torch.no_grad()
def logits_KNC(config: Config, weights: Sequence[Mapping[str, Tensor]], x_NI: Tensor) -> Tensor:
    """Of fits with the structure of `config`, whose tensors are named as `FitResult.weights` has them; dropout off."""
    splits = load_splits(config.data)
    examples_NI = splits.train.x_NI.to(x_NI.device, x_NI.dtype)
    network = stacked_network(config, len(weights), examples_NI, shape_of(splits)).eval()
    for k, own in enumerate(weights):
        network.load_state(k, own)
    pieces = [x_BI.expand(len(weights), -1, -1) for x_BI in x_NI.split(EVALUATION_BATCH)]
    return torch.cat([predict(network, x_KBI, config.trainer.precision) for x_KBI in pieces], dim=1)
