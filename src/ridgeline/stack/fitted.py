"""A fitted network with all that it needs to be used: raw features in; probabilities out, or numbers in regression.

N examples, I features, C classes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ridgeline.config import Config, as_tree
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.config.own_code import own_sources
from ridgeline.config.stored import read_stored
from ridgeline.data import Scaler
from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.stack.networks import Shape, stacked_network

if TYPE_CHECKING:
    from ridgeline.tables.encoding import Encoder

SHAPE = "shape"
"""In the metadata of the tensors: inputs, an image's height and width, outputs."""
OWN_CODE = "own_code"
"""The folder of the user's own source files, which its configuration's targets are in."""
WEIGHTS = "weights.safetensors"
CONFIG = "config.yaml"
SCALER = "scaler."
"""What the names of the scaler's arrays begin with, beside the network's tensors."""
COLUMNS, ENCODER = "columns.json", "encoder."
"""Of a table: the file that says what becomes of its columns, and what the names of the arrays for it begin with."""


@dataclass(frozen=True)
class Fitted:
    """`weights`: the network's tensors by name, without the axis K, as `FitResult` has them. `scaler`: of the parts
    that it was trained on."""

    config: Config
    weights: Mapping[str, Tensor]
    scaler: Scaler
    shape: Shape

    @property
    def n_features(self) -> int:
        return len(self.scaler.mean_I)

    @property
    def n_classes(self) -> int:
        return self.shape.n_outputs

    def predict(self, x_NI: Any) -> np.ndarray:
        """(N, C) The probabilities of the classes, float32; in regression (N,) targets in their own unit, float64.

        Dropout is off, and it is computed in float32 on the CPU. `x`: features as they were before any standardization,
        (N, I), of which an example with NaN gets NaN; of a table, a frame with its columns.
        """
        is_table = self.scaler.encoder is not None
        x_1NI = torch.from_numpy(self.scaler.apply(x_NI if is_table else np.asarray(x_NI, np.float32))).unsqueeze(0)
        network = self._network(x_1NI[0])
        with torch.inference_mode():
            outputs_NC = network(x_1NI)[0]
            if self.config.predicted == "regression":
                return self.scaler.undo_targets(outputs_NC[:, 0].numpy())
            probabilities_NC: np.ndarray = torch.softmax(outputs_NC, dim=1).numpy()
        return probabilities_NC

    def _network(self, x_NI: Tensor) -> StackedNetwork:
        """Built with the first examples that come."""
        if "network" not in self._built:
            network = stacked_network(self.config, 1, x_NI, self.shape)
            network.load_state(0, self.weights)
            self._built["network"] = network.eval()
        return self._built["network"]

    @functools.cached_property
    def _built(self) -> dict[str, StackedNetwork]:
        return {}

    def save(self, folder: Path) -> None:
        """The tensors and the scaler as safetensors, the configuration as YAML, and the user's own source files."""
        tensors = {SCALER + name: torch.from_numpy(np.array(array)) for name, array in self.scaler.arrays().items()}
        tensors |= {name: tensor.contiguous().cpu() for name, tensor in self.weights.items()}
        folder.mkdir(parents=True, exist_ok=True)
        shape = (self.shape.n_inputs, self.shape.image, self.shape.n_outputs)
        if self.scaler.encoder is not None:
            tensors |= {ENCODER + name: torch.from_numpy(a) for name, a in self.scaler.encoder.arrays().items()}
            (folder / COLUMNS).write_text(json.dumps(self.scaler.encoder.stored(), indent=1))
        save_file(tensors, folder / WEIGHTS, {SHAPE: json.dumps(shape)})
        tree = {key: value for key, value in as_tree(self.config).items() if key not in NOT_TRAINED}
        (folder / CONFIG).write_text(yaml.safe_dump(tree, sort_keys=False))
        for name, text in own_sources([as_tree(self.config)]).items():
            place = folder / OWN_CODE / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)


def load_fitted(folder: Path, allowed: Sequence[str] = ()) -> Fitted:
    """What `Fitted.save` wrote. Raises ConfigError where its configuration is not one that may be read back.

    `allowed`: packages of the user's own that it may name, as in `tracking.allowed_targets`.
    """
    code = folder / OWN_CODE
    tensors = load_file(folder / WEIGHTS)
    names = [name for name in tensors if name.startswith(SCALER)]
    arrays: dict[str, Any] = {name.removeprefix(SCALER): tensors.pop(name).numpy() for name in names}
    scaler = Scaler(**arrays, encoder=_encoder(folder, tensors) if (folder / COLUMNS).is_file() else None)
    with safe_open(folder / WEIGHTS, "pt") as file:
        n_inputs, image, n_outputs = json.loads(file.metadata()[SHAPE])
    layout = None if scaler.encoder is None else scaler.encoder.layout
    shape = Shape(n_inputs, None if image is None else (image[0], image[1]), n_outputs, layout)
    config = read_stored(folder / CONFIG, allowed, str(code) if code.is_dir() else None)
    return Fitted(config, tensors, scaler, shape)


def _encoder(folder: Path, tensors: dict[str, Tensor]) -> Encoder:
    """The encoder of a table's columns; its arrays are taken out of the tensors."""
    from ridgeline.tables.encoding import Encoder  # pandas, which other data do without

    names = [name for name in tensors if name.startswith(ENCODER)]
    arrays = {name.removeprefix(ENCODER): tensors.pop(name).numpy() for name in names}
    return Encoder.restore(json.loads((folder / COLUMNS).read_text()), arrays)


def packages_in(folder: Path) -> list[str]:
    """The packages of the user's own whose files `Fitted.save` has put there."""
    code = folder / OWN_CODE
    return sorted(f"{path.stem}." for path in code.iterdir()) if code.is_dir() else []
