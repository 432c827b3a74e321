"""What trained networks say of examples. K fits, N examples, I inputs, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import load_splits
from ridgeline.stack.batches import Slices
from ridgeline.stack.evaluation import evaluation_batch
from ridgeline.stack.networks import EXAMPLES, shape_of, stacked_network
from ridgeline.stack.precision import predict
from ridgeline.stack.records import of_fold


@torch.no_grad()
def logits_KNC(config: Config, weights: Sequence[Mapping[str, Tensor]], x_NI: Tensor) -> Tensor:
    """Of fits with the structure of `config`, whose tensors are named as `FitResult.weights` has them; dropout off.

    `x`: features, or bytes as the splits of `config` have them.
    """
    splits = load_splits(config.data)
    dtype = x_NI.dtype if x_NI.is_floating_point() else splits.train.dtype
    examples_NI = splits.train.features_MI(slice(EXAMPLES)).to(x_NI.device, dtype)
    network = stacked_network(config, len(weights), examples_NI, shape_of(splits)).eval()
    for k, own in enumerate(weights):
        network.load_state(k, own)
    batches = x_NI.split(evaluation_batch(network))
    pieces = [splits.train.standardized(x_BI).expand(len(weights), -1, -1) for x_BI in batches]
    return torch.cat([predict(network, x_KBI, config.trainer.precision) for x_KBI in pieces], dim=1)


@torch.no_grad()
def validation_logits(config: Config, weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Of each fold of a trial, or of its one split, the outputs (N, C) for the examples that it did not train on."""
    splits = load_splits(config.data)
    split = splits.validation
    network = stacked_network(config, split.folds, splits.train.features_MI(slice(EXAMPLES)), shape_of(splits)).eval()
    for f in range(split.folds):
        network.load_state(f, of_fold(weights, f) if split.sizes else weights)
    pieces = [split.piece_KBI(piece, split.folds) for piece in Slices(split, evaluation_batch(network))]
    outputs_FNC = torch.cat([predict(network, x_FBI, config.trainer.precision) for x_FBI in pieces], dim=1)
    return [outputs_FNC[f, :size] for f, size in enumerate(split.sizes or (split.n,))]
