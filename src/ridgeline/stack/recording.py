"""What a full-batch training does step by step, for what holds it against something else.

K fits, B batch, which is the whole train split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.networks.stacking.dropouts import Dropout
from ridgeline.stack.module import Stack


class Objectives(pl.Callback):
    """`values[k]`: J of fit k before each of its steps, with the noise of that step."""

    def on_train_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        self.values: list[list[float]] = [[] for _ in stack.configs]

    def on_train_batch_start(
        self, trainer: pl.Trainer, stack: pl.LightningModule, positions_KB: Tensor, batch_idx: int
    ) -> None:
        assert isinstance(stack, Stack)
        self._penalties = stack.penalties_K().tolist()

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for values, penalty, record in zip(self.values, self._penalties, stack.records, strict=True):
            if len(values) < len(record.history):  # else the fit ended in an earlier epoch
                values.append(record.history[-1]["train/loss"] + penalty)


class Beginning(pl.Callback):
    """`weights`: the first fit's tensors before its first step, by name."""

    def on_train_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        self.weights = stack.network.state(0)


class WeightPaths(pl.Callback):
    """`steps`: all weights (no biases) of the K fits before the first step and after each, in the rows' order."""

    def on_train_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        self.steps = [stack.rows.weights_KW.detach().clone()]

    def on_train_batch_end(
        self, trainer: pl.Trainer, stack: pl.LightningModule, outputs: Any, positions_KB: Tensor, batch_idx: int
    ) -> None:
        assert isinstance(stack, Stack)
        self.steps.append(stack.rows.weights_KW.detach().clone())


class KeptMasks(pl.Callback):
    """`steps`: the masks that the first fit used in each step, one for the input of each layer; rows are examples."""

    def on_train_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        self.steps: list[list[NDArray[np.bool_]]] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, stack: pl.LightningModule, outputs: Any, positions_KB: Tensor, batch_idx: int
    ) -> None:
        assert isinstance(stack, Stack)
        order_B = positions_KB[0].cpu().numpy()
        masks = []
        for layer in [stack.network.input_dropout, *stack.network.dropouts]:
            assert isinstance(layer, Dropout)
            mask = np.ones((len(order_B), layer.width), np.bool_)
            if layer.rates[0] > 0:
                assert layer.bits is not None
                mask[order_B] = (layer.bits[0] <= layer.threshold[0]).cpu().numpy()
            masks.append(mask)
        self.steps.append(masks)
