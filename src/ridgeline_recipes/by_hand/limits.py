"""The settings that the network by hand does not have. They are refused before torch is imported."""

from __future__ import annotations

from typing import Any

from ridgeline import CallbacksConfig, Config, ConfigError

REGULARIZERS = ("l2", "dropout", "input_dropout")
"""The regularizers that it has."""

DONE_BY_HAND: dict[str, Any] = {
    "data.name": "moons",
    "data.folds": None,
    "network.output": "sigmoid",
    "loss.name": "cross_entropy",
    "loss.class_weight": None,
    "optimizer.name": "sgd",
    "optimizer.momentum": 0.0,
    "optimizer.gradient_clip_val": None,
    "lr_schedule.name": "constant",
    "callbacks": CallbacksConfig(),
    "trainer.batch_size": None,
    "trainer.restore_best": False,
    "regularization.penalize": "all",
}
"""What each key must be: what the NumPy network lacks is off, and what it has is asked for."""


def check(config: Config) -> None:
    """Raise ConfigError at the first setting that the network by hand does not have."""
    others = [name for name in config.regularization.strengths_on() if name not in REGULARIZERS]
    for key, wanted in {**DONE_BY_HAND, **{f"regularization.{name}": 0.0 for name in others}}.items():
        found: Any = config
        for name in key.split("."):
            found = getattr(found, name)
        if found != wanted:
            shown = ("null" if value is None else value for value in (wanted, found))
            rule, got = ("none", "some") if key == "callbacks" else shown
            start = "experiment=by_hand/baseline has all that the network by hand needs"
            raise ConfigError(f"`{key} is {rule}` must hold, but got {key}={got}; {start}.")
