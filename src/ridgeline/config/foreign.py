"""What files of another Lightning project say that has another name here, or no meaning: those of the Lightning-Hydra
template above all. So they can be read as they are.

What decides nothing is left out, and said (`not_used`). What would decide something is taken, or refused in one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ridgeline.checking import ConfigError, is_target, require
from ridgeline.config.lightning_keys import OURS
from ridgeline.target import TARGET

NOT_USED = {
    "tags": "MLflow has the settings of each run",
    "logger": "MLflow records each run",
    "extras": "what is printed is Ridgeline's",
    "task_name": "a study is named after what defines it",
    "train": "train.py trains",
    "test": "the test split is confirm.py's",
    "optimized_metric": "it is metric here",
}
"""Keys at the top of an experiment's file, and why nothing reads them."""

SHOWN = ("TQDMProgressBar", "RichProgressBar", "ModelSummary", "RichModelSummary")
"""Callbacks of Lightning's that show how one training fares; many train at once here."""

MISSING = "???"
OF_LIGHTNING = ("pytorch_lightning.", "lightning.")


def at_home(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The plain mapping without what is not used, and with our names. Raises ConfigError, one line."""
    unused = dict(not_used(tree))
    checkpoint = tree.get("ckpt_path")
    require(checkpoint is None, "it is trainer.ckpt_path here,", "ckpt_path", checkpoint)
    found = {key: value for key, value in tree.items() if key not in unused and key != "ckpt_path"}
    for group, read in (("trainer", _trainer), ("callbacks", _callbacks)):
        if isinstance(found.get(group), Mapping):
            kept = {key: value for key, value in found[group].items() if f"{group}.{key}" not in unused}
            found[group] = read(kept, tree)
    return found


def not_used(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The dotted keys that nothing reads, and why."""
    for key, why in NOT_USED.items():
        if key in tree:
            yield key, why
    for key, why in OURS.items():
        if is_target(tree.get("trainer")) and key in tree["trainer"]:
            yield f"trainer.{key}", why
    callbacks = tree.get("callbacks")
    for name, node in callbacks.items() if isinstance(callbacks, Mapping) else ():
        path = str(node[TARGET]) if is_target(node) else ""
        if path.startswith(OF_LIGHTNING) and path.rpartition(".")[2] in SHOWN:
            yield f"callbacks.{name}", "what is shown is Ridgeline's"


def words_on_unused(tree: Mapping[str, Any]) -> list[str]:
    """One line that says what is not used, or none."""
    found = [f"{key} ({why})" for key, why in not_used(tree)]
    return [f"Not used of what your files say: {', '.join(found)}"] if found else []


def _trainer(trainer: Mapping[str, Any], tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the class, which is always Lightning's."""
    path = trainer.get(TARGET)
    if path is None:
        return trainer
    holds = str(path).startswith(OF_LIGHTNING) and str(path).endswith(".Trainer")
    require(holds, f"trainer.{TARGET} is Lightning's Trainer", f"trainer.{TARGET}", path)
    return {key: value for key, value in trainer.items() if key != TARGET}


def _callbacks(callbacks: Mapping[str, Any], tree: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: _callback(node, tree) if is_target(node) else node for name, node in callbacks.items()}


def _callback(node: Mapping[str, Any], tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """A monitor that the file leaves open is the metric; what is written goes into the job's folder."""
    found = dict(node)
    if found.get("monitor") == MISSING:
        found["monitor"] = tree.get("metric")
        direction = (tree.get("search") or {}).get("direction")
        if "mode" in found and direction is not None:
            found["mode"] = direction[:3]
    folder, output = found.get("dirpath"), (tree.get("paths") or {}).get("output_dir")
    if isinstance(folder, str) and isinstance(output, str) and folder.startswith(output):
        del found["dirpath"]
    return found


def refuse_typed(key: str, line: str) -> None:
    """Raise ConfigError for an argument that sets what nothing reads."""
    why = NOT_USED.get(key.partition(".")[0])
    if why is not None:
        raise ConfigError(f"`{key}` has no effect here, but got {line}: {why}.")
