"""Can a study be confirmed? A trial is complete, all saw the same examples, and the data are still the same and have a
test split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ridgeline.checking import ConfigError
from ridgeline.config import DataConfig, as_tree
from ridgeline.data import describe, require_fixed_splits, require_test_split
from ridgeline.evaluation.ensemble import check_ensemble
from ridgeline.evaluation.measuring import measuring_of
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.search.ranking import ran

SECTION = re.compile(r"^data:\n((?:[ -].*\n?)*)", re.MULTILINE)
"""Of a stored configuration."""


def check(stored: StoredStudy, *, ensemble: bool = False) -> None:
    """Raise ConfigError where there is nothing to confirm, or a verdict would be on examples that were learned from."""
    rule = "the study trains on the train split alone"
    if stored.config.data.fit_on != "train":
        raise ConfigError(f"`{rule}` must hold, but got data.fit_on={stored.config.data.fit_on}.")
    require_test_split(stored.config.data)
    if stored.config.data.is_module:
        require_fixed_splits(stored.config.data)
    measuring = measuring_of(stored.config)
    stored.find_best()
    if ensemble:
        check_ensemble(stored, measuring)
    _check_one_split(stored)
    check_data(stored)


def _check_one_split(stored: StoredStudy) -> None:
    """Raise ConfigError where the study swept what decides which examples train, validate or test. What only changes
    how they are scaled, or cuts train and validation into folds, leaves the test split what it is."""
    first, *others = [_split(config) for config in _data_of_trials(stored)] or [{}]
    for found in others:
        for key, value in found.items():
            if value != first[key]:
                rule = "all trials of a study that is confirmed have the same train, validation and test examples"
                raise ConfigError(f"`{rule}` must hold, but got data.{key}={first[key]} and data.{key}={value}.")


LOADING = ("batch_size", "num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "drop_last")
"""Arguments of a DataModule that say how its examples are loaded, and not which they are."""


def _split(data: DataConfig) -> Mapping[str, Any]:
    if data.is_module:
        return {key: value for key, value in as_tree(data).items() if key not in LOADING}
    tree: dict[str, Any] = as_tree(replace(data, standardize="none", zca_epsilon=1.0, folds=None))
    return tree


def _data_of_trials(stored: StoredStudy) -> list[DataConfig]:
    """Each one once. Thousands of files are read as text first: most are alike, and parsing takes a hundred times
    as long."""
    known: dict[str, DataConfig] = {}
    for trial in ran(stored.study):
        path = stored.job(trial.number) / ".hydra" / "config.yaml"
        if not path.is_file():
            continue
        section = SECTION.search(path.read_text())
        # What refers to another key (`seed: ${seed}`) is the same text of different values.
        text = section[1] if section and "${" not in section[1] else f"trial {trial.number}"
        if text not in known:
            known[text] = stored.config_of(trial.number).data
    return list(known.values())


def check_data(stored: StoredStudy) -> None:
    """Raise ConfigError unless the data are those of the study, wherever they lie now."""
    trials, known = ran(stored.study), stored.definition["data"]
    found = describe(stored.config_of(trials[0].number).data).hash if trials else known[0]
    if found not in known:
        raise ConfigError(f"`the data's hash is {', '.join(known)} as in the study` must hold, but got {found}.")
