"""What the network by hand does not have, said before torch is imported."""

from __future__ import annotations

from typing import Any

from ridgeline import CallbacksConfig, Config, ConfigError

DONE_BY_HAND: dict[str, Any] = {
    "data.name": "moons",
    "data.folds": None,
    "network.output": "sigmoid",
    "loss": "cross_entropy",
    "optimizer.name": "sgd",
    "optimizer.momentum": 0.0,
    "optimizer.gradient_clip_val": None,
    "lr_schedule.name": "constant",
    "callbacks": CallbacksConfig(),
    "trainer.batch_size": None,
    "trainer.restore_best": False,
    "regularization.l1": 0.0,
    "regularization.penalize": "all",
    "regularization.group_lasso": 0.0,
    "regularization.dropconnect": 0.0,
    "regularization.mixup": 0.0,
    **{f"regularization.{name}": 0.0 for name in ("max_norm", "input_noise", "label_smoothing", "weight_average")},
}
"""What the NumPy network does not know has to be off, and what it does has to be asked for."""


def check(config: Config) -> None:
    """Raise ConfigError at the first setting that the network by hand does not have."""
    for key, wanted in DONE_BY_HAND.items():
        found: Any = config
        for name in key.split("."):
            found = getattr(found, name)
        if found != wanted:
            shown = ("null" if value is None else value for value in (wanted, found))
            rule, got = ("none", "some") if key == "callbacks" else shown
            start = "experiment=by_hand/baseline has all that the network by hand needs"
            raise ConfigError(f"`{key} is {rule}` must hold, but got {key}={got}; {start}.")
