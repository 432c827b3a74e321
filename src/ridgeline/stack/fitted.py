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
from ridgeline.tasks.losses import Task

if TYPE_CHECKING:
    from ridgeline.tables.encoding import Encoder

SHAPE, CLASSES = "shape", "classes"
"""In the metadata of the tensors: inputs, (C, H, W) of an image, outputs; and what the classes are called."""
SEED = "seed."
"""What the names of the tensors begin with that are of another seed."""
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
    """`weights`: the network's tensors by name, without the axis K, as `FitResult` has them. `scaler`: of the splits
    that it was trained on. `class_names`: what the classes are called, where they have names.

    `others`: the weights of the same network trained with other seeds, of which the spread of its predictions is."""

    config: Config
    weights: Mapping[str, Tensor]
    scaler: Scaler
    shape: Shape
    class_names: tuple[str, ...] = ()
    others: tuple[Mapping[str, Tensor], ...] = ()

    @property
    def n_features(self) -> int:
        return len(self.scaler.mean_I)

    @property
    def task(self) -> Task:
        return self.config.predicted

    @property
    def n_classes(self) -> int:
        return self.shape.n_outputs

    @property
    def networks(self) -> tuple[Fitted, ...]:
        """What it consists of: itself, or the members of an ensemble."""
        return (self,)

    def predict(self, x_NI: Any) -> np.ndarray:
        """(N, C) The probabilities of the classes, float32; in regression (N,) targets in their own unit, float64.

        Dropout is off, and it is computed in float32 on the CPU. `x`: features as they were before any standardization,
        (N, I), of which an example with NaN gets NaN; of a table, a frame with its columns.
        """
        found: np.ndarray = self._predict(x_NI, 1)[0]
        return found

    def predict_with_each_seed(self, x_NI: Any) -> np.ndarray:
        """(S, N, C) or (S, N) What `predict` gives, by the network itself and by the `others`."""
        return self._predict(x_NI, 1 + len(self.others))

    def _predict(self, x_NI: Any, k: int) -> np.ndarray:
        is_table = self.scaler.encoder is not None
        x_NI = torch.from_numpy(self.scaler.apply(x_NI if is_table else np.asarray(x_NI, np.float32)))
        network = self._network(x_NI, k)
        with torch.inference_mode():
            outputs_KNC = network(x_NI.expand(k, *x_NI.shape))
            if self.task == "regression":
                return self.scaler.undo_targets(outputs_KNC[:, :, 0].numpy())
            probabilities_KNC: np.ndarray = torch.softmax(outputs_KNC, dim=2).numpy()
        return probabilities_KNC

    def _network(self, x_NI: Tensor, k: int) -> StackedNetwork:
        """Of the first k seeds; built with the first examples that come."""
        if k not in self._built:
            network = stacked_network(self.config, k, x_NI, self.shape)
            for i, weights in enumerate((self.weights, *self.others)[:k]):
                network.load_state(i, weights)
            self._built[k] = network.eval()
        return self._built[k]

    @functools.cached_property
    def _built(self) -> dict[int, StackedNetwork]:
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
        for i, weights in enumerate(self.others):
            tensors |= {f"{SEED}{i}.{name}": tensor.contiguous().cpu() for name, tensor in weights.items()}
        save_file(tensors, folder / WEIGHTS, {SHAPE: json.dumps(shape), CLASSES: json.dumps(self.class_names)})
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
        known = file.metadata()
    n_inputs, image, n_outputs = json.loads(known[SHAPE])
    class_names = tuple(json.loads(known.get(CLASSES, "[]")))
    others: dict[str, dict[str, Tensor]] = {}
    for name in [name for name in tensors if name.startswith(SEED)]:
        seed, _, own = name.removeprefix(SEED).partition(".")
        others.setdefault(seed, {})[own] = tensors.pop(name)
    layout = None if scaler.encoder is None else scaler.encoder.layout
    if image is not None:
        n_channels, height, width = (1, *image)[-3:]  # once it was (H, W), of one channel
        image = (n_channels, height, width)
    shape = Shape(n_inputs, image, n_outputs, layout)
    config = read_stored(folder / CONFIG, allowed, str(code) if code.is_dir() else None)
    return Fitted(config, tensors, scaler, shape, class_names, tuple(others[seed] for seed in sorted(others, key=int)))


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
