"""Which weights penalties act on: those of layers that sum over what comes in, never biases and norms.

K fits, I incoming weights of each of O units of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ridgeline.checking import require
from ridgeline.strengths import Settings, form

if TYPE_CHECKING:
    from ridgeline.config import Config


UNKNOWN_OUTPUT = "it is not known which layer is the output's"
"""Of a LightningModule, whose steps may call its layers in any order."""


@dataclass(frozen=True)
class PenalizedSettings(Settings):
    """`penalize`: on which layers' weights the penalties that read it act: on all, or not on the output layer's."""

    penalize: Literal["all", "hidden"] = form("all")

    def check_beside(self, config: Config) -> None:
        rule = "regularization.penalize == all without hidden layers"
        holds = self.penalize == "all" or config.network.n_hidden != 0
        require(holds, rule, "regularization.penalize", self.penalize)

    def check_on_module(self, config: Config) -> None:
        rule = f"regularization.penalize == all with model, where {UNKNOWN_OUTPUT},"
        require(self.penalize == "all", rule, "regularization.penalize", self.penalize)


def n_penalized(config: Config, network: Any) -> int:
    """How many weights, the first of a row, `penalize` names: all, or all but the output layer's, which are the
    last."""
    if network.weights and config.regularization.penalize == "hidden":
        return int(network.rows.places[network.weights[-1].name].start)
    return int(network.rows.n_weights)


def penalized_layers(config: Config, network: Any) -> list[Any]:
    """Weights of the layers that `penalize` names, whose `value_KIO` has a column for each unit."""
    return hidden_layers(network) if config.regularization.penalize == "hidden" else list(network.weights)


def hidden_layers(network: Any) -> list[Any]:
    """Weights of all layers but the output's, which has no hidden units."""
    return list(network.weights[:-1])
