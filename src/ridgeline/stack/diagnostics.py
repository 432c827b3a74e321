"""How the units and the gradients of K fits fare, layer by layer, on a fixed slice of the validation split.

K fits, B examples, O units of a layer. Layers have the names of their tensors: `linears.0` is the first.
Activations are seen where they are modules; a figure of one is named after the last layer with weights before it.
"""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor

from ridgeline.stack.evaluation import examples_of
from ridgeline.stack.module import Stack
from ridgeline.stack.precision import predict

NEAR = 0.01
"""A unit is saturated within this part of its range from either limit, where its slope is 4% of the steepest."""


class Diagnostics(pl.Callback):
    """Adds `diagnostics/...` to each fit's row of the epoch, of the weights that it trains; nothing without the config.

    Of each hidden layer, with relu: `dead_units`, the share of units that give 0 for all examples, and
    `zero_activations`; with tanh and sigmoid: `saturated`, the share of activations near a limit. Of each layer:
    `gradient_norm`, of the mean data loss by the layer's weights.
    """

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        config = stack.configs[0].callbacks.diagnostics
        if config is None:
            return
        figures = measure(stack, config.examples)
        table = torch.stack(list(figures.values())).tolist()  # one sync
        for k, record in enumerate(stack.records):
            row = record.history[-1]
            if not any(name in row for name in figures):  # else the fit ended in an earlier epoch
                row.update({name: column[k] for name, column in zip(figures, table, strict=True)})


def measure(stack: Stack, examples: int) -> dict[str, Tensor]:
    """The figures by name, a number a fit. The rows of gradients are overwritten."""
    validation, shared = stack.splits.validation, stack.configs[0]
    n = min(examples, *validation.sizes, validation.n)
    x_KBI, targets_KB, weights_KB = examples_of(validation, slice(0, n), len(stack.configs))
    network, kinds = stack.network, stack.network.survey.activations
    was_training = network.training
    network.eval()
    with torch.enable_grad(), network.outputs_of(list(kinds)) as outputs:
        outputs_KBO = predict(network, x_KBI, shared.trainer.precision)
        stack.rows.differentiate(stack.data_loss.mean_K(outputs_KBO, targets_KB, weights_KB=weights_KB))
    network.train(was_training)
    figures = dict[str, Tensor]()
    for name, (layer, kind) in kinds.items():
        a_KBO = torch.stack([a_B.movedim(1, -1).flatten(0, -2) for a_B in outputs[name]])  # all positions of a channel
        for figure, share_K in unit_shares(a_KBO, kind).items():
            figures[f"diagnostics/{figure}/{layer}"] = share_K
    for weight in network.weights:
        if weight.has_units:
            norm_K = torch.linalg.vector_norm(weight.grad_KIO, dim=(1, 2))
            figures[f"diagnostics/gradient_norm/{weight.layer}"] = norm_K
    return figures


def unit_shares(a_KBO: Tensor, activation: str) -> dict[str, Tensor]:
    """The shares, in [0, 1], that tell of a layer with this activation."""
    if activation == "relu":
        is_zero_KBO = a_KBO == 0
        dead_KO = is_zero_KBO.all(dim=1)
        return {"dead_units": dead_KO.float().mean(dim=1), "zero_activations": is_zero_KBO.float().mean(dim=(1, 2))}
    if activation == "silu":  # which has no limits
        return {}
    low, high = (-1.0, 1.0) if activation == "tanh" else (0.0, 1.0)
    margin = NEAR * (high - low)
    is_near_KBO = (a_KBO < low + margin) | (a_KBO > high - margin)
    return {"saturated": is_near_KBO.float().mean(dim=(1, 2))}
