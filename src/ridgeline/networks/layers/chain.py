"""Settings that networks have in common which are a chain of Linears. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from ridgeline.checking import require
from ridgeline.config.network import NetworkConfig
from ridgeline.config.trial import TWO_CLASSES

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["relu", "tanh", "sigmoid", "silu"]
Initialization = Literal["kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"]


@dataclass(frozen=True)
class Chain(NetworkConfig):
    """`output`: softmax, a logit for each class; or sigmoid, for two classes: one logit, of the second, beside a 0."""

    output: Literal["softmax", "sigmoid"] = "softmax"

    def check_data(self, name: str) -> None:
        rule = f"network.output is softmax unless data in {{{', '.join(TWO_CLASSES)}}}"
        require(self.output == "softmax" or name in TWO_CLASSES, rule, "network.output", self.output)

    def widths(self, n_inputs: int, n_outputs: int) -> list[int]:
        """From the inputs to what the last Linear gives."""
        holds = self.output == "softmax" or n_outputs == 2
        require(holds, f"network.output is softmax with {n_outputs} classes", "network.output", self.output)
        return [n_inputs, *self.hidden, n_outputs if self.output == "softmax" else 1]

    def least_bytes(self, n_inputs: int, n_outputs: int, batch: int, copies: int) -> int:
        widths = [n_inputs, *self.hidden, n_outputs]
        n_parameters = sum(i * o + o for i, o in pairwise(widths))
        return 4 * (copies * n_parameters + batch * sum(widths))

    def perceptron(
        self, input_shape: Sequence[int], n_outputs: int, activation: Activation, initialization: str
    ) -> nn.Module:
        """The module."""
        from ridgeline.networks.layers.perceptron import Perceptron

        (n_inputs,) = input_shape
        return Perceptron(self.widths(n_inputs, n_outputs), activation, initialization, self.output)
