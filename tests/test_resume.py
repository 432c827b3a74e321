"""A fit that comes into a free slot, or goes on from a checkpoint, ends as one that was never disturbed: with every
optimizer, schedule and regularizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from ridgeline.config import Config
from ridgeline.data import Splits, load_splits
from ridgeline.stack.callbacks import Checkpoints, EarlyStopping, Schedules
from ridgeline.stack.collect import collect
from ridgeline.stack.fitting import build_trainer, fit
from ridgeline.stack.folds import FailingTogether
from ridgeline.stack.module import Stack
from ridgeline.stack.precision import no_denormals
from ridgeline.stack.records import FitResult
from settings import small
from test_promise_alone_equals_stacked import assert_same_bits

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer__name": "sgd", "optimizer__lr": 0.05},
    "momentum": {"optimizer__name": "sgd", "optimizer__lr": 0.05, "optimizer__momentum": 0.9},
    "nesterov": {
        "optimizer__name": "sgd",
        "optimizer__lr": 0.05,
        "optimizer__momentum": 0.5,
        "optimizer__nesterov": True,
    },
    "adam": {"optimizer__name": "adam", "optimizer__lr": 0.01},
    "adamw": {"optimizer__name": "adamw", "optimizer__lr": 0.01, "optimizer__weight_decay": 0.1},
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "cosine": {"lr_schedule__name": "cosine"},
    "step": {"lr_schedule__name": "step", "lr_schedule__step_size": 2, "lr_schedule__gamma": 0.5},
}
PENALTY_LATE = {"callbacks__penalty_schedule__name": "late", "callbacks__penalty_schedule__epochs": 3}
DROPOUT_LINEAR = {"callbacks__dropout_schedule__name": "linear", "callbacks__dropout_schedule__epochs": 3}
REGULARIZERS: dict[str, dict[str, Any]] = {
    "l1": {"regularization__l1": 1e-3},
    "l1, subgradient": {"regularization__l1": 1e-3, "regularization__l1_form": "subgradient"},
    "l2": {"regularization__l2": 1e-2},
    "l2 of long rows, late": {"regularization__l2": 1e-2, "network__hidden": [320, 250], **PENALTY_LATE},
    "group lasso": {"regularization__group_lasso": 1e-3},
    "max norm": {"regularization__max_norm": 0.8},
    "dropout": {"regularization__dropout": 0.3, "regularization__input_dropout": 0.1, **DROPOUT_LINEAR},
    "dropconnect": {"regularization__dropconnect": 0.3},
    "input noise": {"regularization__input_noise": 0.2},
    "label smoothing": {"regularization__label_smoothing": 0.1},
    "mixup": {"regularization__mixup": 0.3},
    "weight average": {"regularization__weight_average": 0.9},
    "clipped": {"optimizer__gradient_clip_val": 0.3},
    "augmented": {"augmentation__shift": 0.1, "data__standardize": "all"},
    "folds": {"data__folds": 2, "callbacks__early_stopping__patience": 1},
}
CASES = [
    (regularizer, optimizer, list(SCHEDULES)[(i + j) % 3])
    for i, regularizer in enumerate(REGULARIZERS)
    for j, optimizer in enumerate(OPTIMIZERS)
]
"""Every regularizer with every optimizer, and every optimizer with every schedule."""


def cases() -> list[Any]:
    """Each regularizer with one of the optimizers; with the others in `make verify`."""
    return [
        pytest.param(*case, marks=[] if n % 5 == n // 5 % 5 else pytest.mark.verify) for n, case in enumerate(CASES)
    ]


def config(regularizer: str, optimizer: str, schedule: str, **overrides: Any) -> Config:
    settings = {"network__hidden": [9], "trainer__max_epochs": 5, "trainer__batch_size": 32, "data__examples": 100}
    settings |= REGULARIZERS[regularizer] | OPTIMIZERS[optimizer] | SCHEDULES[schedule]
    return small(**settings | overrides)


def after(n_epochs: int) -> dict[str, Any]:
    """Stop then: no fall of the loss is large enough."""
    rule = {"monitor": "train/loss", "patience": n_epochs - 1, "min_delta": 1e9}
    return {f"callbacks__early_stopping__{name}": value for name, value in rule.items()}


class Killed(RuntimeError):
    pass


class Kill(pl.Callback):
    """In the middle of an epoch: the checkpoint is of the end of the one before."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, trainer: pl.Trainer, stack: pl.LightningModule, *args: Any) -> None:
        if trainer.current_epoch == self._epoch:
            raise Killed


def gone_on(config: Config, splits: Splits, folder: Path, killed_in: int) -> FitResult:
    """The result of a training that was killed in that epoch and goes on from its checkpoint."""
    callbacks = [Schedules(), EarlyStopping(), FailingTogether(), Checkpoints(folder, interval=0), Kill(killed_in)]
    stack = Stack([config], splits)
    trainer = build_trainer(stack, callbacks, max_epochs=99)
    with no_denormals(), pytest.raises(Killed):
        trainer.fit(stack)
    (result,) = fit([replace(config, trainer=replace(config.trainer, ckpt_path=str(folder / "last.ckpt")))], splits)
    return result


class Refilled(pl.Callback):
    """Puts the next fit into each place that is free, as a worker does that is told to."""

    def __init__(self, configs: Iterator[Config], n_places: int) -> None:
        self._configs, self._busy = configs, dict(enumerate(next(configs) for _ in range(n_places)))
        self.first = list(self._busy.values())
        self.results: list[tuple[Config, FitResult]] = []

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for place in list(self._busy):
            if any(record.end is None for record in stack.records_of(place)):
                continue
            self.results.append((self._busy.pop(place), *collect(stack, [place])))
            following = next(self._configs, None)
            if following is not None:
                stack.load(place, following)
                self._busy[place] = following
        trainer.should_stop = not self._busy


@pytest.mark.parametrize(("regularizer", "optimizer", "schedule"), cases())
def test_fit_in_a_refilled_slot_ends_bitwise_as_alone(regularizer: str, optimizer: str, schedule: str) -> None:
    given = [
        config(
            regularizer, optimizer, schedule, seed=seed, **after(n_epochs), **({"optimizer__lr": 0.02} if seed else {})
        )
        for seed, n_epochs in enumerate((2, 5, 3, 2))  # the third begins beside one that has trained
    ]
    splits = load_splits(given[0].data)
    refilled = Refilled(iter(given), 2)
    stack = Stack(refilled.first, splits)
    with no_denormals():
        build_trainer(stack, [Schedules(), EarlyStopping(), FailingTogether(), refilled], max_epochs=-1).fit(stack)
    assert len(refilled.results) == len(given)
    for own, result in refilled.results:
        if own not in refilled.first:
            assert_same_bits(fit([own], splits)[0], result)


@pytest.mark.parametrize(("regularizer", "optimizer", "schedule"), cases())
def test_training_that_goes_on_ends_bitwise_as_undisturbed(
    regularizer: str, optimizer: str, schedule: str, tmp_path: Path
) -> None:
    """The checkpoint is of an epoch in which a late penalty is still 0."""
    given = config(regularizer, optimizer, schedule)
    splits = load_splits(given.data)
    assert_same_bits(gone_on(given, splits, tmp_path, killed_in=3), fit([given], splits)[0])


def test_training_goes_on_from_a_checkpoint_after_one_fold_has_stopped(tmp_path: Path) -> None:
    """That fold's learning rate stays where it was, and those of the others follow the schedule."""
    own = {"data__folds": 3, "callbacks__early_stopping__patience": 1, "trainer__max_epochs": 12, "optimizer__lr": 0.1}
    given = config("l2", "momentum", "cosine", **own)
    splits = load_splits(given.data)
    (whole,) = fit([given], splits)
    first_stop = 2 + int(min(whole.metrics[f"fold/{f}/best_epoch"] for f in range(3)))
    assert first_stop + 2 < whole.epochs
    assert_same_bits(gone_on(given, splits, tmp_path, killed_in=first_stop + 2), whole)
