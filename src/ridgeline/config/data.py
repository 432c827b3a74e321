"""Settings of the group `data`: which examples there are, and how they are split."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ridgeline.checking import COPIED, OF_TARGET, aside, require
from ridgeline.target import Target
from ridgeline.tasks.losses import Task

MADE = ("moons", "friedman")
"""Data sets that are drawn at random with `data.seed`, as many examples and as much noise as is asked for."""

REGRESSION = ("diabetes", "friedman")
"""The data sets whose targets are numbers."""


PLACES = ("root", "path", "test_path", "targets", "test_targets")
"""Keys that say where data lie, which may be elsewhere when a study is confirmed."""

OF_FILES = ("table", "images", "arrays")
"""Those that lie where `data.path` says."""

OPEN = ("own", *OF_FILES)
"""Those whose targets may be classes or numbers."""


def task_of_data(name: str, task: str) -> Task:
    """What is predicted of the data set of this name; of one that is open, classification unless `task` says so."""
    is_regression = name in REGRESSION or (name in OPEN and task == "regression")
    return "regression" if is_regression else "classification"


MODULE = "module"
"""The name of data that are a LightningDataModule, which a module of the user's own trains on."""

CLASSES: dict[Any, tuple[str, str]] = {
    "table": ("ridgeline.config.table", "TableConfig"),
    "images": ("ridgeline.config.images", "ImagesConfig"),
    "arrays": ("ridgeline.config.arrays", "ArraysConfig"),
    MODULE: ("ridgeline.config.data_module", "ModuleConfig"),
}
"""Where the settings of a data set are that has some of its own."""


@dataclass(frozen=True)
class OwnSource(Target):
    """A function of the user's own that gives all examples: features and targets, one row or item for each; or a
    LightningDataModule."""

    GIVEN: ClassVar[tuple[str, ...]] = ("seed", "root", "noise", "path", "test_path")

    @property
    def is_data_module(self) -> bool:
        """Whether it names a LightningDataModule, or what has the loaders of one."""
        return hasattr(self.find(), "train_dataloader")


@dataclass(frozen=True)
class DataConfig:
    """Which examples, how they are split, which of them a fit trains on. `seed` belongs to the split, never to a fit.

    `split`: drawn at random, or so that each class has its share (stratified); or first rows first. auto: stratified in
    classification, random in regression.
    `folds`: what trains and validates is cut into so many; a trial is a fit for each, which validates on it.
    `root`, `path` and `test_path` say where the examples lie.
    `permute_labels` deals the labels out at random, so that there is nothing to learn: the control experiment.
    `source` gives the examples with data=own. `task` is the configuration's own, of data that leave it open.
    """

    name: Literal[
        "digits",
        "breast_cancer",
        "wine",
        "moons",
        "mnist",
        "diabetes",
        "friedman",
        "own",
        "table",
        "images",
        "arrays",
        "module",
    ]
    seed: int = 0
    split: Literal["auto", "stratified", "random", "first"] = "auto"
    train: float = 0.6
    validation: float = 0.2
    folds: int | None = None
    standardize: Literal["none", "feature", "all", "channel", "zca"] = "feature"
    zca_epsilon: float = 0.01
    examples: int | None = None
    noise: float | None = None
    permute_labels: bool = False
    fit_on: Literal["train", "train_validation"] = "train"
    root: str | None = aside(None)
    path: str | None = aside(None)
    test_path: str | None = aside(None)
    source: OwnSource | None = field(default=None, metadata=OF_TARGET)
    task: Literal["auto", "classification", "regression"] = field(default="auto", metadata=COPIED)

    @classmethod
    def choose(cls, tree: Any, path: str) -> type[DataConfig]:
        """The settings of the data set that is named: those of the user's own files have more of them."""
        name = tree.get("name") if isinstance(tree, Mapping) else None
        if name not in CLASSES:
            return cls
        module, chosen = CLASSES[name]
        found: type[DataConfig] = getattr(importlib.import_module(module), chosen)
        return found

    def check(self) -> None:
        rule = "data._target_ is given with data=own"
        require((self.source is not None) == (self.name == "own"), rule, "data.name", self.name)
        require(0 <= self.seed < 2**31, "0 <= data.seed < 2**31", "data.seed", self.seed)
        require(0 < self.train < 1, "0 < data.train < 1", "data.train", self.train)
        require(0 < self.validation < 1, "0 < data.validation < 1", "data.validation", self.validation)
        total = self.train + self.validation
        require(total <= 1 + 1e-9, "data.train + data.validation <= 1", "data.train + data.validation", total)
        if not self.has_test_split:
            require(self.draws_test, "data.train + data.validation < 1", "data.train + data.validation", total)
        require(self.folds is None or self.folds >= 2, "data.folds >= 2 (or null)", "data.folds", self.folds)
        if self.examples is not None:
            require(self.examples >= 20, "data.examples >= 20", "data.examples", self.examples)
        require(0 < self.zca_epsilon < math.inf, "0 < data.zca_epsilon < inf", "data.zca_epsilon", self.zca_epsilon)
        if self.noise is not None:
            require(0 <= self.noise <= 1e6, "0 <= data.noise <= 1e6", "data.noise", self.noise)

    @property
    def is_module(self) -> bool:
        """Whether they are a LightningDataModule that the Trainer gets as it is."""
        return False

    @property
    def has_test_split(self) -> bool:
        """Whether the data may bring a test split along, so that train and validation split may share all others."""
        return self.name == "mnist" or (self.source is not None and self.source.is_data_module)

    @property
    def draws_test(self) -> bool:
        """Whether train and validation split leave something to test, where the data bring no test split along."""
        return self.train + self.validation < 1 - 1e-9

    @property
    def places(self) -> dict[str, str]:
        """Where the data lie, by the names of `PLACES` that say it: some are keys of some data alone."""
        return {name: place for name in PLACES if (place := getattr(self, name, None)) is not None}

    @property
    def predicted(self) -> Task:
        """What is predicted of these data."""
        return task_of_data(self.name, self.task)

    @property
    def title(self) -> str:
        """What the data set is called where it is spoken of."""
        return self.name if self.source is None else self.source.path

    @property
    def has_weights(self) -> bool:
        """Whether some examples count more than others."""
        return False

    @property
    def n_folds(self) -> int:
        """Fits of a trial: 1 without folds."""
        return self.folds or 1
