"""Settings of the group `network`. Each network has its own, in its file of `ridgeline.networks`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.checking import require

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkConfig:
    """What every network's settings can say."""

    @classmethod
    def choose(cls, tree: Mapping[str, Any], path: str) -> type[NetworkConfig]:
        """The settings of the network that is named. Raises ConfigError for one that there is not."""
        if not isinstance(tree, Mapping):
            return cls
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

    def check_data(self, name: str) -> None:
        """Raise ConfigError for a data set that the network is not for."""

    def check_shape(self, input_shape: Sequence[int]) -> None:
        """Raise ConfigError for examples that the network cannot take."""

    def least_bytes(self, n_inputs: int, n_outputs: int, batch: int, copies: int) -> int:
        """Of memory that a training step takes at least, with so many copies of each parameter; 0: not known."""
        return 0

    def build(self, input_shape: Sequence[int], n_outputs: int) -> nn.Module:
        """The module, its weights drawn from torch's global generator. `input_shape`: (I,) or (C, H, W)."""
        raise NotImplementedError


def network_names() -> list[str]:
    """Of all files in `ridgeline.networks`."""
    files = pkgutil.iter_modules(importlib.import_module("ridgeline.networks").__path__)
    return sorted(file.name for file in files if not file.ispkg)
