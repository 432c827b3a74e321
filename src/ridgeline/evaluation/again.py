"""The command that trains a confirmed network again: what it has and its trial had not, a learning rate say, is set."""

from __future__ import annotations

from typing import Any

from ridgeline.command_line.commands import Where
from ridgeline.config import as_tree
from ridgeline.config.batchable import NOT_TRAINED
from ridgeline.evaluation.arms import Arm
from ridgeline.evaluation.stored import StoredStudy

OF_THE_RUN = ("trainer.ckpt_path", "trainer.enable_progress_bar", "trainer.num_threads", "data.root")


def train_again(stored: StoredStudy, arm: Arm, *, where: Where = "anywhere") -> str:
    """Of the first of its seeds, whose weights are the champion's."""
    trial = next(t for t in stored.study.trials if t.number == arm.candidate.trial)
    its, own = _flat(as_tree(stored.config_of(trial.number))), _flat(as_tree(arm.config))
    own["seed"] = arm.seeds[0]
    differs = {key: value for key, value in own.items() if its.get(key, ...) != value and key not in OF_THE_RUN}
    return stored.line.retrain(trial.params, differs, where=where)


def _flat(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{path}.{name}" if path else name
        if path == "" and name in NOT_TRAINED:
            continue
        # A callback is there or is not: it is set as a whole.
        flat |= _flat(value, key) if isinstance(value, dict) and path != "callbacks" else {key: value}
    return flat
