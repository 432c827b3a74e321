"""The fitted network that a study's weights are, to be used or registered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import Scaler, drawing_with, load_splits
from ridgeline.evaluation.measuring import measuring_of
from ridgeline.lightning.fitted import FittedModule
from ridgeline.stack.fitted import Fitted
from ridgeline.stack.networks import Shape, shape_of

EXAMPLES = 5
"""How many examples a registered model shows as its input."""


def fitted_of(
    config: Config, weights: Mapping[str, Tensor], others: Sequence[Mapping[str, Tensor]] = ()
) -> tuple[Fitted, Any] | None:
    """With a few raw examples, an array or a frame. None: a module whose outputs are no predictions of examples."""
    if config.model is None:
        fitted: Fitted = Fitted(config, weights, *_of_splits(config), tuple(others))
        return fitted, _examples(config)
    answer = measuring_of(config).answer
    if answer is None:
        return None
    from ridgeline.lightning.answers import answers, validation_of

    with drawing_with(0):
        found = answers(config, weights, validation_of(config), answer)
    own: dict[str, Any] = {"answer": answer, "example": found.shape, "others": tuple(others)}
    if not config.data.is_module:
        return FittedModule(config, weights, *_of_splits(config), **own), _examples(config)
    if not found.shape:
        return None
    n_inputs, n_outputs = math.prod(found.shape), found.outputs_NC.shape[1]
    is_number = answer[0] == "numbers"
    unit: dict[str, Any] = {"target_mean": np.array(0.0), "target_std": np.array(1.0)} if is_number else {}
    scaler = Scaler(np.zeros(n_inputs, np.float32), np.ones(n_inputs, np.float32), **unit)  # it scales its own
    names = () if is_number else tuple(map(str, range(n_outputs)))
    example = found.features.reshape(len(found.features), -1)[:EXAMPLES].float().cpu().numpy()
    return FittedModule(config, weights, scaler, Shape(n_inputs, None, n_outputs), names, **own), example


def _of_splits(config: Config) -> tuple[Scaler, Shape, tuple[str, ...]]:
    splits = load_splits(config.data)
    return splits.scaler, shape_of(splits), splits.description.class_names


def _examples(config: Config) -> Any:
    splits = load_splits(config.data)
    encoder = splits.scaler.encoder
    return splits.own_units(splits.train.x_NI[:EXAMPLES]).numpy() if encoder is None else encoder.example
