"""The network that a configuration means, for K fits of given examples.

K fits, N examples, I values of an example.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ridgeline.config import Config
from ridgeline.config.network import NetworkConfig
from ridgeline.data import Splits
from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.networks.stacking.proof import Choice, choose
from ridgeline.networks.stacking.survey import Survey, survey

log = logging.getLogger(__name__)

EXAMPLES = 16
"""Of which a network is looked at, and proved: two fits have half of them each."""


@dataclass(frozen=True)
class Shape:
    """What data and task ask of a network: `image` is an image's height and width."""

    n_inputs: int
    image: tuple[int, int] | None
    n_outputs: int

    def of_example(self, network: NetworkConfig) -> tuple[int, ...]:
        """As the network takes it: a row, or (channels, height, width)."""
        return (1, *self.image) if self.image is not None and network.takes_images else (self.n_inputs,)


def shape_of(splits: Splits) -> Shape:
    return Shape(splits.n_features, splits.image_shape, splits.n_outputs)


def stacked_network(config: Config, k: int, x_NI: Tensor, shape: Shape) -> StackedNetwork:
    """K fits with the structure of `config`, in the type and on the device of `x`, some examples of the data."""
    known = known_network(config.network, x_NI, shape)
    return StackedNetwork(
        known.make, known.survey, k, known.x_B, known.choice.way, dtype=x_NI.dtype, device=x_NI.device
    )


@dataclass(frozen=True)
class Known:
    """What was found out about a network, once in a process."""

    network: NetworkConfig
    example_shape: tuple[int, ...]
    n_outputs: int
    x_B: Tensor
    survey: Survey
    choice: Choice

    def make(self) -> nn.Module:
        return self.network.build(self.example_shape, self.n_outputs)


_known: dict[tuple[NetworkConfig, Shape, torch.dtype, str, bool], Known] = {}


def known_network(network: NetworkConfig, x_NI: Tensor, shape: Shape) -> Known:
    """Looked at with the first examples. Raises ConfigError for a network that does not take them."""
    place = network, shape, x_NI.dtype, x_NI.device.type, len(x_NI) >= EXAMPLES
    if place not in _known:
        _known[place] = _look(network, x_NI, shape)
    return _known[place]


def _look(network: NetworkConfig, x_NI: Tensor, shape: Shape) -> Known:
    example_shape = shape.of_example(network)
    network.check_shape(example_shape)
    few = x_NI[:EXAMPLES].cpu().nan_to_num()  # what is predicted may lack a value
    x_B = few.repeat(-(-EXAMPLES // len(few)), 1)[:EXAMPLES].unflatten(1, example_shape)

    def make() -> nn.Module:
        return network.build(example_shape, shape.n_outputs)

    found = survey(make, x_B, channels_last=x_NI.device.type == "cpu")
    choice = choose(make, found, x_B, x_NI.device, is_ours=type(network).__module__.startswith("ridgeline.networks."))
    log.debug(choice.why)
    return Known(network, example_shape, shape.n_outputs, x_B, found, choice)
