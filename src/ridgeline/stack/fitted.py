"""A fitted network with all that it needs to be used: raw features in, probabilities out.

N examples, I features, C classes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from ridgeline.config import Config, as_tree
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.config.stored import read_stored
from ridgeline.data import Scaler
from ridgeline.networks import MLP, class_count

WEIGHTS = "weights.safetensors"
CONFIG = "config.yaml"
SCALER = "scaler."
"""What the names of the scaler's arrays begin with, beside the network's tensors."""


@dataclass(frozen=True)
class Fitted:
    """`weights`: the network's tensors by name, without the axis K, as `FitResult` has them. `scaler`: of the parts
    that it was trained on."""

    config: Config
    weights: Mapping[str, Tensor]
    scaler: Scaler

    @property
    def n_features(self) -> int:
        return len(self.scaler.mean_I)

    @property
    def n_classes(self) -> int:
        network = self.config.network
        return class_count(network, self.weights[f"linears.{len(network.hidden)}.weight"].shape[1])

    def probabilities_NC(self, x_NI: np.ndarray) -> np.ndarray:
        """softmax of the network's logits, dropout off, in float32 on the CPU. `x`: features as they were before any
        standardization. An example with NaN gets NaN."""
        x_1NI = torch.from_numpy(self.scaler.apply(np.asarray(x_NI, np.float32))).unsqueeze(0)
        with torch.inference_mode():
            probabilities_NC: np.ndarray = torch.softmax(self._network(x_1NI)[0], dim=1).numpy()
        return probabilities_NC

    @functools.cached_property
    def _network(self) -> MLP:
        network = MLP(
            self.config.network, 1, self.n_features, self.n_classes, dtype=torch.float32, device=torch.device("cpu")
        )
        network.load_state_dict({name: tensor.unsqueeze(0) for name, tensor in self.weights.items()})
        return network.eval()

    def save(self, folder: Path) -> None:
        """The tensors and the scaler as safetensors, the configuration as YAML."""
        tensors = {SCALER + name: torch.from_numpy(np.array(array)) for name, array in self.scaler.arrays().items()}
        tensors |= {name: tensor.contiguous().cpu() for name, tensor in self.weights.items()}
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / WEIGHTS)
        tree = {key: value for key, value in as_tree(self.config).items() if key not in NOT_TRAINED}
        (folder / CONFIG).write_text(yaml.safe_dump(tree, sort_keys=False))


def load_fitted(folder: Path) -> Fitted:
    """What `Fitted.save` wrote. Raises ConfigError where its configuration is not one that may be read back."""
    tensors = load_file(folder / WEIGHTS)
    names = [name for name in tensors if name.startswith(SCALER)]
    scaler = Scaler(**{name.removeprefix(SCALER): tensors.pop(name).numpy() for name in names})
    return Fitted(read_stored(folder / CONFIG), tensors, scaler)
