"""Settings of the group `network`: its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ridgeline.checking import require


@dataclass(frozen=True)
class NetworkConfig:
    """Layers. `hidden` is empty for the linear softmax classifier.

    `output`: softmax, a logit for each class; or sigmoid, for two classes: one logit, that of the second, beside a 0.
    """

    name: Literal["mlp", "softmax"]
    hidden: tuple[int, ...] = ()
    output: Literal["softmax", "sigmoid"] = "softmax"
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    initialization: Literal["kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"] = "kaiming_uniform"

    def check(self) -> None:
        shown = list(self.hidden)
        if self.name == "mlp":
            require(len(self.hidden) > 0, "len(network.hidden) >= 1", "network.hidden", shown)
        else:
            require(len(self.hidden) == 0, "no network.hidden with network=softmax", "network.hidden", shown)
        require(all(width >= 1 for width in self.hidden), "network.hidden[i] >= 1", "network.hidden", shown)
