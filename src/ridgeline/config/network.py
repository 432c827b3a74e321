"""Settings of the group `network`. Each network has its own, in its file of `ridgeline.networks`."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.checking import require
from ridgeline.target import Target, is_target

if TYPE_CHECKING:
    from torch import nn

    from ridgeline.layout import Layout


@dataclass(frozen=True)
class NetworkConfig:
    """What every network's settings can say."""

    @classmethod
    def choose(cls, tree: Mapping[str, Any], path: str) -> type[NetworkConfig]:
        """The settings of the network that is named. Raises ConfigError for one that there is not."""
        if not isinstance(tree, Mapping):
            return cls
        if is_target(tree):
            return OwnNetwork
        known, name = network_names(), tree.get("name")
        require(name in known, f"{path}.name in {{{', '.join(known)}}}", f"{path}.name", name)
        chosen: type[NetworkConfig] = importlib.import_module(f"ridgeline.networks.{name}").Network
        return chosen

    @property
    def name(self) -> str:
        """That of its file."""
        raise NotImplementedError

    @property
    def hidden(self) -> tuple[int, ...]:
        """The widths of the hidden layers, where they are a chain of Linears."""
        return ()

    @property
    def n_hidden(self) -> int | None:
        """How many layers `regularization.dropout` acts on; None: the network's code alone can tell."""
        return len(self.hidden)

    @property
    def takes_images(self) -> bool:
        """Whether an example of images comes as (channels, height, width), and not as a row."""
        return False

    @property
    def takes_layout(self) -> bool:
        """Whether it is told what each input of a row is, and deals with codes itself."""
        return False

    def idle(self) -> Iterator[tuple[str, str, str]]:
        """Keys that the others leave without effect: the key, the rule that does not hold, the value that breaks
        it."""
        return iter(())

    def example_shape(self, n_inputs: int, image: tuple[int, int, int] | None) -> tuple[int, ...]:
        """Of an example as the network gets it: a row, or (channels, height, width)."""
        return image if image is not None and self.takes_images else (n_inputs,)

    def check_data(self, name: str) -> None:
        """Raise ConfigError for a data set that the network is not for."""

    def check_shape(self, input_shape: Sequence[int]) -> None:
        """Raise ConfigError for examples that the network cannot take."""

    def least_bytes(self, n_inputs: int, n_outputs: int, batch: int, copies: int) -> int:
        """Of memory that a training step takes at least, with so many copies of each parameter; 0: not known."""
        return 0

    def build(self, input_shape: Sequence[int], n_outputs: int, layout: Layout | None = None) -> nn.Module:
        """The module, its weights drawn from torch's global generator. `input_shape`: (I,) or (C, H, W).

        `layout`: what the inputs are, where the examples are rows of a table. A network that does not take it gets no
        codes: they are embedded in front of it.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class OwnNetwork(Target, NetworkConfig):
    """A module of anyone's. Images come to it as rows only if it asks for `n_inputs`, and not for `input_shape`."""

    GIVEN = ("n_inputs", "input_shape", "n_outputs", "layout")

    @property
    def name(self) -> str:
        return self.path

    @property
    def n_hidden(self) -> int | None:
        return None

    @property
    def takes_images(self) -> bool:
        return self.takes("input_shape") or not self.takes("n_inputs")

    @property
    def takes_layout(self) -> bool:
        return self.takes("layout")

    def build(self, input_shape: Sequence[int], n_outputs: int, layout: Layout | None = None) -> nn.Module:
        from torch import nn

        shape = tuple(input_shape)
        given = {} if layout is None else {"layout": layout}
        module = super().build(n_inputs=math.prod(shape), input_shape=shape, n_outputs=n_outputs, **given)
        rule = f"{self.key}._target_ gives an nn.Module"
        require(isinstance(module, nn.Module), rule, f"{self.key}._target_", self.path)
        return module


def network_names() -> list[str]:
    """Of all files in `ridgeline.networks`."""
    files = pkgutil.iter_modules(importlib.import_module("ridgeline.networks").__path__)
    return sorted(file.name for file in files if not file.ispkg)
