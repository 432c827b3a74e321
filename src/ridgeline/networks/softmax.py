"""The linear softmax classifier: a score for each class, no hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ridgeline.networks.layers.chain import Chain, Initialization

if TYPE_CHECKING:
    from torch import nn

    from ridgeline.layout import Layout


@dataclass(frozen=True)
class Network(Chain):
    """With `output=sigmoid` it is logistic regression."""

    name: Literal["softmax"] = "softmax"
    initialization: Initialization = "xavier_uniform"

    def build(self, input_shape: Sequence[int], n_outputs: int, layout: Layout | None = None) -> nn.Module:
        return self.perceptron(input_shape, n_outputs, "relu", self.initialization)
