"""Keys of Lightning's Trainer beside ours: `trainer.NAME` goes to it as it is where a LightningModule is trained.

They are in a configuration only where somebody gave them, for Lightning has defaults of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.checking import ConfigError, require

Kinds = tuple[type, ...]

LIGHTNING: dict[str, Kinds | tuple[str, ...]] = {
    "accumulate_grad_batches": (int,),
    "gradient_clip_val": (float, int),
    "gradient_clip_algorithm": ("norm", "value"),
    "min_epochs": (int,),
    "max_steps": (int,),
    "min_steps": (int,),
    "max_time": (str,),
    "limit_train_batches": (int, float),
    "limit_val_batches": (int, float),
    "limit_test_batches": (int, float),
    "overfit_batches": (int, float),
    "val_check_interval": (int, float, str),
    "check_val_every_n_epoch": (int,),
    "num_sanity_val_steps": (int,),
    "reload_dataloaders_every_n_epochs": (int,),
    "log_every_n_steps": (int,),
    "deterministic": (bool, str),
    "benchmark": (bool,),
    "inference_mode": (bool,),
    "detect_anomaly": (bool,),
    "sync_batchnorm": (bool,),
    "use_distributed_sampler": (bool,),
    "profiler": (str,),
    "strategy": (str,),
    "devices": (int, str, list, tuple),
    "num_nodes": (int,),
}
"""The types of each, or its choices; null is what it is by default. 1 and 1.0 may differ: a batch, or all of them."""

OURS = {
    "logger": "what is logged is in MLflow",
    "callbacks": "callbacks are given by callbacks.NAME._target_",
    "default_root_dir": "files lie in the folder that runs names",
    "enable_checkpointing": "weights are kept by trainer.restore_best and tracking.keep_weights",
    "enable_model_summary": "nothing is printed between the lines of other trials",
    "enable_autolog_hparams": "what is logged is in MLflow",
    "model_registry": "a champion is registered in MLflow",
    "fast_dev_run": "a batch is tried before anything is written",
    "limit_predict_batches": "nothing is predicted while training",
    "barebones": "what is logged is read",
    "plugins": "the processes of a trial are started here",
}
"""Arguments of Lightning's Trainer that are set here, and why. Files of other projects have them: see `foreign`."""

ALONE = ("auto", "single_device")
"""Strategies that need no other process."""
SPREAD = ("ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
"""Those that have a process a device, each with a whole copy of the module."""
STARTS = ("_spawn", "_fork", "_notebook")
"""How Lightning would start these processes, as part of a strategy's name. Here they are always started alike."""

LEAST = {"accumulate_grad_batches": 1, "gradient_clip_val": 0, "check_val_every_n_epoch": 1, "max_steps": -1}

PRECISIONS = ("bf16-true", "16-mixed", "16-true", "64-true", "transformer-engine", "transformer-engine-float16")
"""Of Lightning's, beside ours."""


class LightningKey:
    """A field that `ridgeline.checking.targets` makes gathers such keys: (name, value) each."""

    NAMES = tuple(LIGHTNING)

    @staticmethod
    def belongs(key: str, value: Any) -> bool:
        return key in LIGHTNING

    @staticmethod
    def read(value: Any, key: str) -> Any:
        """The checked value. Raises ConfigError for one that Lightning does not take."""
        name = key.rpartition(".")[2]
        kinds = LIGHTNING[name]
        if isinstance(kinds[0], str):
            require(value is None or value in kinds, f"{key} in {{{', '.join(map(str, kinds))}}}", key, value)
        else:
            words = " or ".join(WORDS[kind] for kind in kinds if kind in WORDS)
            require(value is None or type(value) in kinds, f"{key} is {words}", key, value)
        if name in LEAST and value is not None:
            require(value >= LEAST[name], f"{key} >= {LEAST[name]}", key, value)
        if name == "devices" and value is not None:
            rule = f"{key} is how many devices a trial has, at least 1, or a list of their numbers"
            require(count_devices(value) >= 1, rule, key, value)
        if name == "num_nodes" and value is not None:
            require(value == 1, f"{key} is 1, for the devices of a trial are of one machine", key, value)
        if name == "strategy" and value is not None:
            rule = f"{key} in {{{', '.join((*ALONE, *SPREAD))}}}, for the weights of a trial are kept whole,"
            require(started_alike(value) in (*ALONE, *SPREAD), rule, key, value)
        return tuple(value) if isinstance(value, list) else value


def count_devices(value: Any) -> int:
    """How many `trainer.devices` says; 0 for what says nothing. `auto` is one: a study trains many trials at a time."""
    if isinstance(value, str):
        numbers = [text.strip() for text in value.split(",") if text.strip()]
        if value == "auto" or not all(text.isdecimal() for text in numbers):
            return int(value == "auto")
        return int(value) if value.isdecimal() else len(numbers)
    if isinstance(value, (list, tuple)):
        return len(value) if all(type(number) is int and number >= 0 for number in value) else 0
    return int(value)


def started_alike(strategy: str) -> str:
    """The strategy without how its processes start."""
    for start in STARTS:
        strategy = strategy.replace(start, "")
    return strategy


WORDS: dict[type, str] = {int: "an integer", float: "a number", bool: "true or false", str: "text", list: "a list"}

ALIASES: dict[str, dict[int | str, str]] = {
    "accelerator": {"gpu": "cuda"},
    "precision": {
        **dict.fromkeys((32, "32"), "32-true"),
        **dict.fromkeys((16, "16"), "16-mixed"),
        **dict.fromkeys((64, "64"), "64-true"),
        "bf16": "bf16-mixed",
    },
}
"""Of values: what else Lightning calls them."""


def with_our_names(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The plain configuration in which values of `trainer` are called as they are here."""
    trainer = tree.get("trainer")
    if not isinstance(trainer, Mapping):
        return tree
    values = {key: trainer.get(key) for key in ALIASES}
    ours = {key: ALIASES[key].get(value) for key, value in values.items() if isinstance(value, (int, str))}
    return {**tree, "trainer": {**trainer, **{key: value for key, value in ours.items() if value is not None}}}


def refuse_ours(key: str, line: str) -> None:
    """Raise ConfigError for a typed key that is set here."""
    group, _, name = key.partition(".")
    if group == "trainer" and name in OURS:
        raise ConfigError(f"`{key} is left out, for {OURS[name]},` must hold, but got {line}.")
