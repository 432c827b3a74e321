"""Which weights penalties act on: those of matrices, never biases.

K fits, P parameters of one fit, I inputs, O outputs of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ridgeline.checking import require
from ridgeline.strengths import Settings, form

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config


@dataclass(frozen=True)
class PenalizedSettings(Settings):
    """`penalize`: on which layers' weights the penalties that read it act: on all, or not on the output layer's."""

    penalize: Literal["all", "hidden"] = form("all")

    def check_beside(self, config: Config) -> None:
        rule = "regularization.penalize == all without hidden layers"
        holds = self.penalize == "all" or len(config.network.hidden) > 0
        require(holds, rule, "regularization.penalize", self.penalize)


def n_penalized(config: Config, network: Any, n_weights: int) -> int:
    """How many weights, the first of a row, `penalize` names: all, or all but the output layer's, which are the
    last."""
    return n_weights - (network.linears[-1].weight[0].numel() if config.regularization.penalize == "hidden" else 0)


def penalized_layers(config: Config, network: Any) -> list[Tensor]:
    """Weights (K, I, O) of the layers that `penalize` names."""
    layers = hidden_layers(network)
    return layers if config.regularization.penalize == "hidden" else [*layers, network.linears[-1].weight]


def hidden_layers(network: Any) -> list[Tensor]:
    """Weights (K, I, O) of all layers but the output's, which has no hidden units."""
    return [linear.weight for linear in network.linears[:-1]]


def views_of(rows_KP: Tensor, layers: list[Tensor]) -> list[Tensor]:
    """What stands in rows where these layers' weights do, the first of a row: (K, I, O) each."""
    sizes = [layer[0].numel() for layer in layers]
    pieces_KW = rows_KP[:, : sum(sizes)].split(sizes, dim=1)
    return [piece_KW.view(layer.shape) for piece_KW, layer in zip(pieces_KW, layers, strict=True)]
