"""The checked configuration: Hydra composes YAML, `parse` makes frozen dataclasses of it; no DictConfig goes deeper.

Every rule that a value must keep stands here, beside the field, so that a wrong value is refused before anything is
written. A field marked as a knob changes no tensor's shape: fits that differ only in knobs can be trained as one stack.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ridgeline.augmentation import AugmentationConfig
from ridgeline.callbacks import CallbacksConfig, Metric, ScheduleConfig
from ridgeline.checking import ConfigError, build, knob, require
from ridgeline.proof import CaseStudyConfig, ClaimsConfig, ConfirmConfig, PrepareConfig
from ridgeline.regularization import RegularizationConfig

__all__ = [
    "AugmentationConfig",
    "CallbacksConfig",
    "Config",
    "ConfigError",
    "ConfirmConfig",
    "Metric",
    "RegularizationConfig",
    "ScheduleConfig",
    "as_tree",
    "parse",
]


@dataclass(frozen=True)
class DataConfig:
    """Which examples, how they are split, which of them a fit trains on. `seed` belongs to the split, never to a fit.

    `folds`: what trains and validates is cut into so many; a trial is a fit for each, which validates on it.
    `permute_labels` deals the labels out at random, so that there is nothing to learn: the control experiment.
    """

    name: Literal["digits", "breast_cancer", "wine", "moons", "mnist"]
    seed: int = 0
    split: Literal["stratified", "first"] = "stratified"
    train: float = 0.6
    validation: float = 0.2
    folds: int | None = None
    standardize: Literal["none", "feature", "all", "zca"] = "feature"
    zca_epsilon: float = 0.01
    examples: int | None = None
    noise: float | None = None
    permute_labels: bool = False
    fit_on: Literal["train", "train_validation"] = "train"
    root: str | None = None

    def check(self) -> None:
        require(0 <= self.seed < 2**31, "0 <= data.seed < 2**31", "data.seed", self.seed)
        require(0 < self.train < 1, "0 < data.train < 1", "data.train", self.train)
        require(0 < self.validation < 1, "0 < data.validation < 1", "data.validation", self.validation)
        total = self.train + self.validation
        require(total <= 1 + 1e-9, "data.train + data.validation <= 1", "data.train + data.validation", total)
        if self.name != "mnist":  # MNIST has a test split of its own
            require(total < 1 - 1e-9, "data.train + data.validation < 1", "data.train + data.validation", total)
        require(self.folds is None or self.folds >= 2, "data.folds >= 2 (or null)", "data.folds", self.folds)
        if self.examples is not None:
            require(self.examples >= 20, "data.examples >= 20", "data.examples", self.examples)
        require(0 < self.zca_epsilon < math.inf, "0 < data.zca_epsilon < inf", "data.zca_epsilon", self.zca_epsilon)
        if self.noise is not None:
            require(0 <= self.noise <= 1e6, "0 <= data.noise <= 1e6", "data.noise", self.noise)

    @property
    def n_folds(self) -> int:
        """Fits of a trial: 1 without folds."""
        return self.folds or 1


TWO_CLASSES = ("breast_cancer", "moons")
"""The data sets that a single logit can tell apart."""


@dataclass(frozen=True)
class NetworkConfig:
    """Layers. `hidden` is empty for the linear softmax classifier.

    `output`: softmax, a logit for each class; or sigmoid, for two classes: one logit, that of the second, beside a 0.
    """

    name: Literal["mlp", "softmax"]
    hidden: tuple[int, ...] = ()
    output: Literal["softmax", "sigmoid"] = "softmax"
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    initialization: Literal["kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"] = "kaiming_uniform"

    def check(self) -> None:
        shown = list(self.hidden)
        if self.name == "mlp":
            require(len(self.hidden) > 0, "len(network.hidden) >= 1", "network.hidden", shown)
        else:
            require(len(self.hidden) == 0, "no network.hidden with network=softmax", "network.hidden", shown)
        require(all(width >= 1 for width in self.hidden), "network.hidden[i] >= 1", "network.hidden", shown)


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer of torch.optim. `weight_decay` is AdamW's decoupled one; a penalty is `regularization.l2`."""

    name: Literal["sgd", "adam", "adamw"]
    lr: float = knob()
    momentum: float = knob(0.0)
    nesterov: bool = False
    betas: tuple[float, ...] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = knob(0.0)
    gradient_clip_val: float | None = knob(None)

    def check(self) -> None:
        require(0 < self.lr < math.inf, "0 < optimizer.lr < inf", "optimizer.lr", self.lr)
        require(0 <= self.momentum < 1, "0 <= optimizer.momentum < 1", "optimizer.momentum", self.momentum)
        if self.nesterov:
            require(self.momentum > 0, "optimizer.momentum > 0 with nesterov", "optimizer.momentum", self.momentum)
        require(len(self.betas) == 2, "len(optimizer.betas) == 2", "optimizer.betas", list(self.betas))
        require(all(0 <= beta < 1 for beta in self.betas), "0 <= beta < 1", "optimizer.betas", list(self.betas))
        require(0 < self.eps < math.inf, "0 < optimizer.eps < inf", "optimizer.eps", self.eps)
        decay = self.weight_decay
        require(0 <= decay < math.inf, "0 <= optimizer.weight_decay < inf", "optimizer.weight_decay", decay)
        clip = self.gradient_clip_val
        require(
            clip is None or clip > 0, "optimizer.gradient_clip_val > 0 (or null)", "optimizer.gradient_clip_val", clip
        )


@dataclass(frozen=True)
class LRScheduleConfig:
    """The learning rate as a function of a fit's own epoch."""

    name: Literal["constant", "cosine", "step"] = "constant"
    final_factor: float = knob(0.0)
    step_size: int = 10
    gamma: float = knob(0.1)

    def check(self) -> None:
        require(
            0 <= self.final_factor <= 1,
            "0 <= lr_schedule.final_factor <= 1",
            "lr_schedule.final_factor",
            self.final_factor,
        )
        require(self.step_size >= 1, "lr_schedule.step_size >= 1", "lr_schedule.step_size", self.step_size)
        require(0 < self.gamma <= 1, "0 < lr_schedule.gamma <= 1", "lr_schedule.gamma", self.gamma)


Precision = Literal["32-true", "tf32", "bf16-mixed"]
"""Of the network's products; the names are Lightning's, and NVIDIA's for what torch calls `high`."""


@dataclass(frozen=True)
class TrainerConfig:
    """How long, in which batches, on what. Null: the full batch, as many threads as pay. Intervals are in seconds."""

    max_epochs: int = 30
    batch_size: int | None = 128
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "32-true"
    num_threads: int | None = None
    restore_best: bool = True
    checkpoint_interval: float = 60.0
    ckpt_path: str | None = None
    enable_progress_bar: bool = True

    def check(self) -> None:
        require(self.max_epochs >= 1, "trainer.max_epochs >= 1", "trainer.max_epochs", self.max_epochs)
        size = self.batch_size
        require(size is None or size >= 1, "trainer.batch_size >= 1 (or null)", "trainer.batch_size", size)
        threads = self.num_threads
        require(threads is None or threads >= 1, "trainer.num_threads >= 1 (or null)", "trainer.num_threads", threads)
        require(
            self.checkpoint_interval >= 0,
            "trainer.checkpoint_interval >= 0",
            "trainer.checkpoint_interval",
            self.checkpoint_interval,
        )


@dataclass(frozen=True)
class TrackingConfig:
    """Where MLflow keeps runs (`uri=null`: SQLite under the runs folder); of how many best trials weights are kept.

    `allowed_targets`: packages whose functions a configuration that is read back may name, besides `stored_config`'s.
    """

    uri: str | None = None
    experiment: str = "ridgeline"
    keep_weights: int = 3
    allowed_targets: tuple[str, ...] = ()

    def check(self) -> None:
        require(self.experiment != "", "tracking.experiment is not empty", "tracking.experiment", self.experiment)
        require(self.keep_weights >= 0, "tracking.keep_weights >= 0", "tracking.keep_weights", self.keep_weights)
        for prefix in self.allowed_targets:
            rule = "tracking.allowed_targets[i] is a package, as in mine. or mine.networks."
            words = prefix.rstrip(".").split(".")
            require(all(word.isidentifier() for word in words), rule, "tracking.allowed_targets", prefix)


@dataclass(frozen=True)
class TrialConfig:
    """Set by the sweeper: which trial of which study this job is, and the study's MLflow run."""

    study: str | None = None
    number: int | None = None
    parent_run: str | None = None


@dataclass(frozen=True)
class SearchConfig:
    """A study: the space, the sampler, when to stop. Names and grammar are those of Hydra's Optuna plugin."""

    name: str = "grid"
    study_name: str | None = None
    storage: str | None = None
    summary: str | None = None
    direction: Literal["minimize"] = "minimize"
    n_trials: int | None = None
    n_jobs: int = 1
    max_failure_rate: float = 0.5
    seed: int = 0
    sampler: Mapping[str, Any] | None = field(default=None, hash=False)
    pruner: Mapping[str, Any] | None = field(default=None, hash=False)
    n_startup_trials: int = 0
    enqueue: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def check(self) -> None:
        require(self.n_trials is None or self.n_trials >= 1, "search.n_trials >= 1", "search.n_trials", self.n_trials)
        require(self.n_jobs >= 1, "search.n_jobs >= 1", "search.n_jobs", self.n_jobs)
        n = self.n_startup_trials
        require(n >= 0, "search.n_startup_trials >= 0", "search.n_startup_trials", n)
        rate = self.max_failure_rate
        require(0 <= rate <= 1, "0 <= search.max_failure_rate <= 1", "search.max_failure_rate", rate)
        require(0 <= self.seed < 2**31, "0 <= search.seed < 2**31", "search.seed", self.seed)


@dataclass(frozen=True)
class Config:
    """One trial. `seed` keys initialization, order and noise of the fit.

    `study` and `report` are read by the entry points that follow a study: which one, and where a copy of its page goes.
    `debug`: what pipelines/train.py checks instead of training.
    """

    data: DataConfig
    network: NetworkConfig
    optimizer: OptimizerConfig
    metric: Metric = "val/loss"
    regularization: RegularizationConfig = field(default_factory=RegularizationConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    loss: Literal["cross_entropy", "hinge"] = "cross_entropy"
    lr_schedule: LRScheduleConfig = LRScheduleConfig()
    callbacks: CallbacksConfig = CallbacksConfig()
    trainer: TrainerConfig = TrainerConfig()
    tracking: TrackingConfig = TrackingConfig()
    search: SearchConfig = SearchConfig()
    trial: TrialConfig = TrialConfig()
    prepare: PrepareConfig = PrepareConfig()
    confirm: ConfirmConfig = ConfirmConfig()
    case_study: CaseStudyConfig = CaseStudyConfig()
    claims: ClaimsConfig = ClaimsConfig()
    seed: int = knob(0)
    runs: str = "mlruns"
    study: str | None = None
    report: str | None = None
    debug: Literal["gradcheck", "monotone", "overfit"] | None = None

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
        rule = f"network.output is softmax unless data in {{{', '.join(TWO_CLASSES)}}}"
        holds = self.network.output == "softmax" or self.data.name in TWO_CLASSES
        require(holds, rule, "network.output", self.network.output)
        self.regularization.check_fits(len(self.network.hidden), self.loss)
        self.augmentation.check_fits(self.data.name, self.data.standardize)


def parse(tree: Mapping[str, Any]) -> Config:
    """The checked configuration of a plain, resolved mapping. ConfigError, one line, at the first broken rule."""
    return build(Config, tree, "")


def as_tree(config: Any) -> Any:
    """The plain mapping that `parse` takes."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {f.name: as_tree(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {key: as_tree(value) for key, value in config.items()}
    if isinstance(config, (tuple, list)):
        return [as_tree(value) for value in config]
    return config
