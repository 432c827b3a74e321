"""The configuration of one trial, which gathers the groups; `parse` makes it from what Hydra composed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ridgeline.checking import COPIED, OF_TARGET, TARGETS, aside, batchable, build, of_entry_point, require
from ridgeline.config.arrays import told_by_arrays
from ridgeline.config.callbacks import CallbacksConfig, refuse_ours
from ridgeline.config.data import MODULE, OPEN, DataConfig, OwnSource, task_of_data
from ridgeline.config.data_module import ModuleConfig
from ridgeline.config.entry_points import CaseStudyConfig, ClaimsConfig, ConfirmConfig, PrepareConfig
from ridgeline.config.foreign import at_home
from ridgeline.config.images import images_task
from ridgeline.config.lightning_keys import with_our_names
from ridgeline.config.lr_schedule import LRScheduleConfig, OwnScheduleConfig
from ridgeline.config.model import OwnModel
from ridgeline.config.network import NetworkConfig
from ridgeline.config.optimizer import OptimizerConfig, OwnOptimizerConfig
from ridgeline.config.own_code import own_targets
from ridgeline.config.precision import with_precision
from ridgeline.config.regularization import AugmentationConfig, RegularizationConfig
from ridgeline.config.search import SearchConfig
from ridgeline.config.table import Orders, table_task
from ridgeline.config.tracking import TrackingConfig
from ridgeline.config.trainer import TrainerConfig
from ridgeline.target import TARGET, Target, add_folder, is_target, modules_in
from ridgeline.tasks.figures import check_metric, is_known, larger_is_better, measured
from ridgeline.tasks.losses import AUTO, CrossEntropy, Loss, Task, usual_loss

TOLD = {"table": table_task, "images": images_task}
"""The data that tell their task, and the functions that ask them."""

TWO_CLASSES = ("breast_cancer", "moons")
"""The data sets that a single logit can tell apart."""


@dataclass(frozen=True)
class TrialConfig:
    """Set by the sweeper: which trial of which study this job is, and the study's MLflow run."""

    study: str | None = None
    number: int | None = None
    parent_run: str | None = None


@dataclass(frozen=True)
class Config:
    """One trial. `seed` keys initialization, order and noise of the fit.

    `metric`: what a study optimizes and the restored weights are best at, the loss or a figure of `ridgeline.tasks`.
    `model`: a LightningModule of the user's own, which trains in the place of `network` and what belongs to it;
    `metric` is then anything that it logs, and `goal` says which way that is better, as `search.direction` does.
    `study` and `report` are read by the entry points that follow a study: which one, and where a copy of its page goes.
    `debug`: what pipelines/train.py checks instead of training. `import_path`: the folder of the user's own modules,
    which a `_target_` may name. `paths`: what files of other projects refer to, and nothing else reads.
    """

    data: DataConfig
    network: NetworkConfig
    optimizer: OptimizerConfig
    model: OwnModel | None = None
    task: Literal["auto", "classification", "regression"] = "auto"
    metric: str = "val/loss"
    goal: Literal["minimize", "maximize"] | None = None
    regularization: RegularizationConfig = field(default_factory=RegularizationConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    loss: Loss = field(default_factory=CrossEntropy)
    lr_schedule: LRScheduleConfig = LRScheduleConfig()
    callbacks: CallbacksConfig = CallbacksConfig()
    trainer: TrainerConfig = TrainerConfig()
    tracking: TrackingConfig = aside(TrackingConfig())
    search: SearchConfig = aside(SearchConfig())
    trial: TrialConfig = aside(TrialConfig())
    prepare: PrepareConfig = of_entry_point(PrepareConfig())
    confirm: ConfirmConfig = of_entry_point(ConfirmConfig())
    case_study: CaseStudyConfig = of_entry_point(CaseStudyConfig())
    claims: ClaimsConfig = of_entry_point(ClaimsConfig())
    seed: int = batchable(0)
    runs: str = aside("mlruns")
    import_path: str | None = aside(None)
    paths: Mapping[str, Any] = aside(default_factory=dict, hash=False)
    study: str | None = of_entry_point(None)
    report: str | None = of_entry_point(None)
    debug: Literal["gradcheck", "monotone", "overfit"] | None = of_entry_point(None)

    def check(self) -> None:
        require(0 <= self.seed < 2**31, "0 <= seed < 2**31", "seed", self.seed)
        require(self.runs.strip() != "", "runs is a folder", "runs", self.runs)
        if self.tracking.uri is None:  # the store's address would end there
            require("?" not in self.runs, "runs has no `?`, for MLflow's database lies in it", "runs", self.runs)
        if self.data.fit_on == "train_validation":  # nothing may be chosen by examples that were trained on
            rule = "{} with data.fit_on=train_validation"
            chosen = "trainer.restore_best"
            require(not self.trainer.restore_best, rule.format(f"{chosen}=false"), chosen, self.trainer.restore_best)
            stops = self.callbacks.early_stopping is not None
            require(not stops, rule.format("no early stopping"), "callbacks.early_stopping", "given")
            require(
                self.metric.startswith("train/"), rule.format("metric is of the train split"), "metric", self.metric
            )
            require(self.data.n_folds == 1, rule.format("data.folds is null"), "data.folds", self.data.folds)
        if self.trains_alone:
            rule = "data.folds is null with callbacks of one's own"
            require(self.data.folds is None, rule, "data.folds", self.data.folds)
        if self.model is not None:
            self._check_model()
            return
        self.trainer.check_without_model()
        self.network.check_data(self.data.name)
        self.regularization.check_beside(self)
        self.augmentation.check_beside(self)
        self._check_task()

    def _check_model(self) -> None:
        """The rules of a module of the user's own."""
        require(self.debug is None, "debug is null with a model of one's own", "debug", self.debug)
        require(not self.data.has_weights, "data.weight is null with a model of one's own", "data.weight", "given")
        known = self.goal is not None or is_known(self.metric)
        rule = f"search.direction in {{minimize, maximize}} is given with metric={self.metric}"
        require(known, rule, "search.direction", "null")
        stopping = self.callbacks.early_stopping
        if stopping is not None:
            key, other = "callbacks.early_stopping.monitor", "callbacks.NAME._target_=...EarlyStopping takes any other"
            holds = stopping.monitor == self.metric or is_known(stopping.monitor)
            require(holds, f"{key} is {self.metric}, val/loss or the like ({other})", key, stopping.monitor)
        self.regularization.check_on_module(self)
        self.augmentation.check_on_module(self)

    def _check_task(self) -> None:
        """The rules between the task, its loss and its figures."""
        own, loss = self.predicted, self.loss
        require(self.task in ("auto", own), f"task is auto or {own} with data={self.data.title}", "task", self.task)
        require(loss.task in (own, None), f"loss is one of {own} with data={self.data.title}", "loss", loss.name)
        rule = f"loss.class_weight is null with data={self.data.title}, which have no classes"
        require(loss.class_weight is None or own == "classification", rule, "loss.class_weight", loss.class_weight)
        weighted = self.data.has_weights
        check_metric(self.metric, own, "metric", has_weights=weighted)
        if self.callbacks.early_stopping is not None:
            key = "callbacks.early_stopping.monitor"
            check_metric(self.callbacks.early_stopping.monitor, own, key, has_weights=weighted)
        direction, rule = self.search.direction, f"search.direction is {self.direction} with metric={self.metric}"
        require(direction in (None, self.direction), rule, "search.direction", direction)

    @property
    def predicted(self) -> Task:
        """The task: that of the data."""
        return self.data.predicted

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Of the metric."""
        return self.direction_of(self.metric)

    def direction_of(self, metric: str) -> Literal["minimize", "maximize"]:
        """Which way a number that is measured is better."""
        if self.goal is not None and metric == self.metric:
            return self.goal
        return "maximize" if larger_is_better(metric) else "minimize"

    @property
    def network_name(self) -> str:
        """What trains: the network, or the module of the user's own."""
        return self.network.name if self.model is None else self.model.path.rpartition(".")[2]

    def measured(self, split: str) -> tuple[str, ...]:
        """The figures that are measured after each epoch on `train` or `val`."""
        stopping = self.callbacks.early_stopping
        if self.model is not None:  # it measures what it likes
            return ()
        return measured(split, self.predicted, [self.metric, *([stopping.monitor] if stopping else [])])

    @property
    def trains_alone(self) -> bool:
        """Whether it takes a Trainer of its own, as a module or a callback of the user's does, and so no stack."""
        return self.model is not None or len(self.callbacks.own) > 0


def parse(tree: Mapping[str, Any]) -> Config:
    """The checked configuration of a plain, resolved mapping. ConfigError, one line, at the first broken rule."""
    folder, tree = tree.get("import_path"), at_home(tree)
    if own_targets(tree):  # the sampler of a search is looked for when it is needed
        add_folder(folder)
    with modules_in(folder):
        tree = _with_model(tree)
        if tree["model"] is None:
            refuse_ours(tree.get("callbacks"))
        return build(Config, with_precision(with_our_names(_with_loss(_with_task(tree)))), "")


def _with_model(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mapping in which `model` is null where there is none, and which says what follows from one."""
    model, data, search = (tree.get(name) for name in ("model", "data", "search"))
    if isinstance(data, Mapping) and is_target(data) and "name" not in data:  # a file of a project of the user's
        tree = {**tree, "data": {"name": "own", **data}}
    if not is_target(model):
        bare = model is None or (isinstance(model, Mapping) and not {key for key in model if key != TARGET})
        return {**tree, "model": None if bare else model}
    goal = search.get("direction") if isinstance(search, Mapping) else None
    return {**tree, "goal": goal or tree.get("goal"), "data": _as_module(tree.get("data"), tree.get("import_path"))}


def _as_module(data: Any, folder: str | None) -> Any:
    """The mapping of a LightningDataModule, which goes to the Trainer as it is. `folder`: of the user's modules."""
    if not is_target(data) or not isinstance(data[TARGET], str):
        return data
    is_module = OwnSource(data[TARGET], key="data", folder=folder).is_data_module
    return {**data, "name": MODULE} if is_module else data


def _with_task(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mapping in which data that may be of either task have it; where a file is to tell, its targets do."""
    data, task = tree.get("data", {}), tree.get("task", "auto")
    if not isinstance(data, Mapping) or data.get("name") not in OPEN:
        return tree
    if data["name"] in TOLD and task == "auto":
        task = TOLD[data["name"]](data)
    if data["name"] == "arrays":
        task, data = told_by_arrays(data, task)
    return {**tree, "task": task, "data": {**data, "task": task}}


def _with_loss(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mapping in which `loss=auto`, or none, has become the usual loss of the task."""
    loss, data = tree.get("loss", {}), tree.get("data", {})
    if not isinstance(loss, Mapping) or not isinstance(data, Mapping):
        return tree  # which is refused
    if loss.get("name", AUTO) != AUTO or is_target(loss):
        return tree
    task = task_of_data(str(data.get("name")), tree.get("task", "auto"))
    return {**tree, "loss": {**loss, "name": usual_loss(task)}}


def as_tree(config: Any) -> Any:
    """The plain mapping that `parse` takes."""
    if isinstance(config, (Target, OwnOptimizerConfig, OwnScheduleConfig, ModuleConfig, Orders)):
        return config.tree()
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        tree: dict[str, Any] = {}
        for f in dataclasses.fields(config):
            if f.metadata == COPIED:
                continue
            value = getattr(config, f.name)
            tree |= {key: as_tree(own) for key, own in value} if TARGETS in f.metadata else {f.name: as_tree(value)}
        for name in [f.name for f in dataclasses.fields(config) if f.metadata == OF_TARGET]:
            tree |= tree.pop(name) or {}
        return tree
    if isinstance(config, Mapping):
        return {key: as_tree(value) for key, value in config.items()}
    if isinstance(config, (tuple, list)):
        return [as_tree(value) for value in config]
    return config
