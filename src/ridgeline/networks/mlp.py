"""The multilayer perceptron: Linear layers with one activation between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ridgeline.checking import require
from ridgeline.networks.layers.chain import Activation, Chain, Initialization

if TYPE_CHECKING:
    from torch import nn

    from ridgeline.layout import Layout


@dataclass(frozen=True)
class Network(Chain):
    """`hidden`: a width a hidden layer."""

    name: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...] = (128, 128)
    activation: Activation = "relu"
    initialization: Initialization = "kaiming_uniform"

    def check(self) -> None:
        shown = list(self.hidden)
        require(len(self.hidden) > 0, "len(network.hidden) >= 1", "network.hidden", shown)
        require(all(width >= 1 for width in self.hidden), "network.hidden[i] >= 1", "network.hidden", shown)

    def build(self, input_shape: Sequence[int], n_outputs: int, layout: Layout | None = None) -> nn.Module:
        return self.perceptron(input_shape, n_outputs, self.activation, self.initialization)
