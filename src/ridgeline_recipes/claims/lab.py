"""What claims train: configurations by their overrides, each with every seed, as stacks in this process.

S seeds, N examples, W weights of a network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytorch_lightning as pl

from ridgeline import (
    Config,
    Estimate,
    FitResult,
    FitsFailed,
    Measured,
    Splits,
    estimate,
    fit,
    load_splits,
    measure,
    over_seeds,
    pick_device,
    structure,
)

Compose = Callable[[Sequence[str]], Config]
"""The checked configuration of overrides."""

ALWAYS = ("callbacks=none", "trainer.restore_best=false", "trainer.enable_progress_bar=false")
"""Every network trains to the end and is taken as it is then: what would stop it early is not under test."""

OVERFITTING = (
    "data=digits",
    "data.train=0.2",
    "data.validation=0.6",
    "network.hidden=[64]",
    "trainer.max_epochs=100",
    "trainer.batch_size=32",
)
"""Few digits to train on and many to validate with, so that a baseline overfits."""

FEW_POINTS = (
    "data=moons",
    "data.examples=6000",
    "network.hidden=[100,100]",
    "optimizer.lr=0.01",
    "trainer.batch_size=null",
    "trainer.max_epochs=600",
)
"""A network that can follow each of a few noisy points, which are left when the train split is cut."""


@dataclass(frozen=True)
class Group:
    """One configuration and its networks, one a seed."""

    config: Config
    fits: Sequence[FitResult]
    splits: Splits

    def figure_S(self, name: str) -> np.ndarray:
        """One of `FitResult.metrics`."""
        return np.array([fit.metrics[f"final/{name}"] for fit in self.fits])

    @cached_property
    def validation(self) -> Measured:
        part = self.splits.validation.to("cpu")
        return measure(self.config, self.fits, part)

    @property
    def weights_SW(self) -> np.ndarray:
        """No biases."""
        return np.stack(
            [np.concatenate([w.numpy().T.ravel() for w in f.weights.values() if w.ndim > 1]) for f in self.fits]
        )

    @property
    def error(self) -> Estimate:
        """The error on the validation split."""
        return estimate(self.validation.errors_SN)

    @property
    def loss(self) -> Estimate:
        """The loss on the validation split."""
        return estimate(self.validation.losses_SN, reach=math.inf)

    def mean_of(self, name: str) -> Estimate:
        """One of `FitResult.metrics`, over seeds."""
        return over_seeds(self.figure_S(name))


@dataclass(frozen=True)
class Lab:
    """`seeds` of every network."""

    compose: Compose
    seeds: Sequence[int]

    def train(
        self,
        base: Sequence[str],
        variants: Sequence[Sequence[str]],
        change: Callable[[Splits], Splits] = lambda splits: splits,
        watchers: Sequence[pl.Callback] = (),
    ) -> list[Group]:
        """A group a variant of `base`, in order. `change`: what is done to the examples first. Raises FitsFailed."""
        configs = [self.compose([*ALWAYS, *base, *variant]) for variant in variants]
        groups: dict[int, Group] = {}
        for alike in {structure(config): None for config in configs}:
            own = [i for i, config in enumerate(configs) if structure(config) == alike]
            splits = change(load_splits(configs[own[0]].data, pick_device(configs[own[0]])))
            trials = [replace(configs[i], seed=seed) for i in own for seed in self.seeds]
            results = fit(trials, splits, watchers=watchers)
            reasons = [result.failure for result in results if result.failure is not None]
            if reasons:
                raise FitsFailed(f"{len(reasons)} of {len(results)} fits failed: {reasons[0]}.")
            for place, i in enumerate(own):
                first = place * len(self.seeds)
                groups[i] = Group(configs[i], results[first : first + len(self.seeds)], splits)
        return [groups[i] for i in range(len(configs))]


def cut_train(splits: Splits, count: int) -> Splits:
    """Splits with `count` examples to train on, drawn at random and the same each time."""
    train = splits.train
    chosen = np.random.default_rng(0).permutation(len(train.y_N))[:count]
    return replace(splits, train=replace(train, x_NI=train.x_NI[chosen], y_N=train.y_N[chosen]))
