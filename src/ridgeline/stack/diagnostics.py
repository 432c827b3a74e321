"""How the units and the gradients of K fits fare, layer by layer, on a fixed slice of the validation split.

K fits, B examples, O units of a layer. Layers have the names of their tensors: `linears.0` is the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

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
    x_KBI, targets_KB = examples_of(validation, slice(0, n), len(stack.configs))
    names, linears = zip(*((f"linears.{i}", linear) for i, linear in enumerate(stack.network.linears)), strict=True)
    with torch.enable_grad(), inputs_of(linears[1:]) as activations:
        stack.rows.differentiate(
            stack.data_loss.mean_K(predict(stack.network, x_KBI, shared.trainer.precision), targets_KB)
        )
    figures = dict[str, Tensor]()
    for name, a_KBO in zip(names, activations, strict=False):
        for kind, share_K in unit_shares(a_KBO, shared.network.activation).items():
            figures[f"diagnostics/{kind}/{name}"] = share_K
    for name, linear in zip(names, linears, strict=True):
        figures[f"diagnostics/gradient_norm/{name}"] = torch.linalg.vector_norm(linear.weight.grad, dim=(1, 2))
    return figures


def unit_shares(a_KBO: Tensor, activation: str) -> dict[str, Tensor]:
    """The shares, in [0, 1], that tell of a layer with this activation."""
    if activation == "relu":
        is_zero_KBO = a_KBO == 0
        dead_KO = is_zero_KBO.all(dim=1)
        return {"dead_units": dead_KO.float().mean(dim=1), "zero_activations": is_zero_KBO.float().mean(dim=(1, 2))}
    low, high = (-1.0, 1.0) if activation == "tanh" else (0.0, 1.0)
    margin = NEAR * (high - low)
    is_near_KBO = (a_KBO < low + margin) | (a_KBO > high - margin)
    return {"saturated": is_near_KBO.float().mean(dim=(1, 2))}


@contextmanager
def inputs_of(layers: tuple[nn.Module, ...]) -> Iterator[list[Tensor]]:
    """What enters these layers, in the order in which they run."""
    seen: list[Tensor] = []
    handles = [layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach())) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
