"""A convolutional network for images: convolutions, each with pooling, then a dense head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ridgeline.checking import require
from ridgeline.config.network import NetworkConfig

if TYPE_CHECKING:
    from torch import nn

    from ridgeline.layout import Layout


@dataclass(frozen=True)
class Network(NetworkConfig):
    """`channels`: of each convolution, whose images are as large as what comes in; `pool` divides their sides after it.

    `head`: a width a hidden layer of the dense head; `regularization.dropout` acts on these.
    """

    name: Literal["cnn"] = "cnn"
    channels: tuple[int, ...] = (16, 32)
    kernel: int = 3
    pool: int = 2
    batch_norm: bool = False
    head: tuple[int, ...] = (128,)
    initialization: Literal["kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"] = "kaiming_uniform"

    def check(self) -> None:
        channels, head = list(self.channels), list(self.head)
        require(len(channels) > 0, "len(network.channels) >= 1", "network.channels", channels)
        require(all(n >= 1 for n in channels), "network.channels[i] >= 1", "network.channels", channels)
        require(self.kernel >= 1 and self.kernel % 2 == 1, "network.kernel is odd", "network.kernel", self.kernel)
        require(self.pool >= 1, "network.pool >= 1", "network.pool", self.pool)
        require(len(head) > 0, "len(network.head) >= 1", "network.head", head)
        require(all(width >= 1 for width in head), "network.head[i] >= 1", "network.head", head)

    @property
    def n_hidden(self) -> int:
        return len(self.head)

    @property
    def takes_images(self) -> bool:
        return True

    def check_shape(self, input_shape: Sequence[int]) -> None:
        require(len(input_shape) == 3, "data of images with network=cnn", "network.name", self.name)
        side, last = min(input_shape[1:]), self.pool ** len(self.channels)
        rule = f"network.pool ** len(network.channels) <= {side}, the images' side,"
        require(last <= side, rule, "network.pool", self.pool)

    def build(self, input_shape: Sequence[int], n_outputs: int, layout: Layout | None = None) -> nn.Module:
        from torch import nn

        from ridgeline.networks.layers.initialization import drawn
        from ridgeline.networks.layers.noisy import ActivationDropout

        n_channels, height, width = input_shape
        scheme, gain = self.initialization, nn.init.calculate_gain("relu")
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, n in enumerate(self.channels):
            layers[f"convolution{i}"] = drawn(
                scheme, gain, nn.Conv2d, n_channels, n, self.kernel, padding=self.kernel // 2
            )
            if self.batch_norm:
                layers[f"norm{i}"] = nn.BatchNorm2d(n)
            layers[f"pool{i}"] = nn.MaxPool2d(self.pool)  # before the activation, of fewer values: the same maximum
            layers[f"activation{i}"] = nn.ReLU()
            n_channels, height, width = n, height // self.pool, width // self.pool
        layers["flatten"] = nn.Flatten()
        n_inputs = n_channels * height * width
        for i, n in enumerate(self.head):
            layers[f"dense{i}"] = drawn(scheme, gain, nn.Linear, n_inputs, n)
            layers[f"hidden{i}"] = ActivationDropout("relu")
            n_inputs = n
        layers["output"] = drawn(scheme, 1.0, nn.Linear, n_inputs, n_outputs)
        return nn.Sequential(layers)
