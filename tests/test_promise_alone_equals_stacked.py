"""Promises 2 and 3: a fit ends the same alone and in any stack, next to any neighbour, and as plain torch would."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from plain_torch import train_plain
from ridgeline.config import Config, ConfigError
from ridgeline.data import Splits
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitResult
from settings import small

KNOBS = [
    {"seed": 1, "regularization__l2": 1e-3, "regularization__dropout": [0.3, 0.1]},
    {"seed": 2, "regularization__dropout": 0.5, "regularization__input_dropout": 0.2},
    {"seed": 3},
    {"seed": 4, "regularization__l1": 1e-4, "optimizer__lr": 1e-2},
    {"seed": 5, "regularization__l2": 0.1, "optimizer__gradient_clip_val": 0.5},
]


def assert_same_bits(one: FitResult, other: FitResult) -> None:
    assert one.history == other.history
    assert one.metrics == other.metrics
    assert (one.value, one.best_epoch, one.end, one.failure) == (
        other.value,
        other.best_epoch,
        other.end,
        other.failure,
    )
    assert one.weights.keys() == other.weights.keys()
    for name in one.weights:
        assert torch.equal(one.weights[name], other.weights[name]), name


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_fit_ends_bitwise_the_same_alone_and_stacked(digits: Splits, k: int, optimizer: str) -> None:
    configs = [small(**knobs, optimizer__name=optimizer) for knobs in KNOBS]
    stacked = fit(configs[:k], digits)
    for config, result in zip(configs, stacked, strict=False):
        assert_same_bits(fit([config], digits)[0], result)


def test_slot_and_neighbours_leave_a_fits_bits_unchanged(digits: Splits) -> None:
    configs = [small(**knobs) for knobs in KNOBS]
    forward, backward = fit(configs, digits), fit(configs[::-1], digits)[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert_same_bits(one, other)


def test_diverged_fit_leaves_neighbours_unchanged(digits: Splits) -> None:
    good, bad, other = small(**KNOBS[0]), small(seed=9, optimizer__name="adam", optimizer__lr=1e38), small(**KNOBS[1])
    with_bad = fit([good, bad, other], digits)
    without = fit([good, small(seed=9), other], digits)
    assert with_bad[1].failure is not None
    assert "became" in with_bad[1].failure
    assert math.isnan(with_bad[1].value)
    assert_same_bits(with_bad[0], without[0])
    assert_same_bits(with_bad[2], without[2])


def test_fit_that_stops_early_leaves_neighbours_training(digits: Splits) -> None:
    knobs = {"trainer__max_epochs": 12, "callbacks__early_stopping__monitor": "val/loss"}
    eager = small(**knobs, callbacks__early_stopping__patience=1, optimizer__lr=0.3, seed=1)
    patient = small(**knobs, callbacks__early_stopping__patience=50, seed=2)
    results = fit([eager, patient], digits)
    assert [result.end for result in results] == ["early_stopping", "max_epochs"]
    assert results[0].epochs < results[1].epochs == 12
    assert_same_bits(fit([eager], digits)[0], results[0])
    assert_same_bits(fit([patient], digits)[0], results[1])


def test_stack_of_different_structures_is_refused(digits: Splits) -> None:
    with pytest.raises(ConfigError, match="differ in knobs only"):
        Stack([small(), small(network__hidden=[8])], digits)


PLAIN = {
    "plain": {},
    "penalties": {"regularization__l1": 1e-4, "regularization__l2": 1e-2},
    "long rows": {"regularization__l2": 1e-2, "regularization__l1": 1e-4, "network__hidden": [320, 250]},
    "subgradient": {
        "regularization__l2": 1e-2,
        "regularization__l1": 1e-4,
        "regularization__l1_form": "subgradient",
        "network__hidden": [320, 250],
    },
    "groups": {"regularization__l1": 1e-4, "regularization__group_lasso": 3e-3},
    "groups, subgradient": {"regularization__group_lasso": 3e-3, "regularization__l1_form": "subgradient"},
    "groups, momentum": {
        "regularization__group_lasso": 3e-3,
        "optimizer__name": "sgd",
        "optimizer__lr": 0.05,
        "optimizer__momentum": 0.9,
    },
    "hidden layers": {"regularization__l1": 1e-4, "regularization__l2": 1e-2, "regularization__penalize": "hidden"},
    "long hidden layers": {
        "regularization__l2": 1e-2,
        "regularization__penalize": "hidden",
        "network__hidden": [320, 250],
    },
    "bounded": {"regularization__max_norm": 0.8, "regularization__weight_average": 0.9},
    "bounded hidden layers": {"regularization__max_norm": 0.8, "regularization__penalize": "hidden"},
    "noise": {"regularization__input_noise": 0.3, "regularization__label_smoothing": 0.2},
    "mixup": {"regularization__mixup": 0.4, "regularization__label_smoothing": 0.1, "regularization__input_noise": 0.1},
    "dropout": {"regularization__dropout": [0.5, 0.25], "regularization__input_dropout": 0.2},
    "dropconnect": {"regularization__dropconnect": 0.3, "regularization__dropout": 0.2, "regularization__l2": 1e-3},
    "clipped": {"optimizer__gradient_clip_val": 0.3},
    "sgd": {"optimizer__name": "sgd", "optimizer__lr": 0.05, "optimizer__momentum": 0.9},
    "nesterov": {
        "regularization__l1": 1e-4,
        "optimizer__name": "sgd",
        "optimizer__lr": 0.05,
        "optimizer__momentum": 0.9,
        "optimizer__nesterov": True,
    },
    "adamw": {"optimizer__name": "adamw", "optimizer__weight_decay": 0.1, "regularization__l1": 1e-4},
}


@pytest.mark.parametrize("case", PLAIN)
def test_weights_equal_plain_torch(
    digits: Splits, digits64: Splits, shrink: Callable[[Splits, int], Splits], case: str
) -> None:
    """Within 1e-6 for ten epochs in float64. In float32 for ten steps, but for a few weights: Adam divides a gradient
    by its own size, so that the last bit of one near 0, which differs between CPUs, moves its weight far."""
    shared = {**PLAIN[case], "trainer__restore_best": False, "trainer__num_threads": 1}
    config, neighbour = small(**shared, seed=3), small(**{**shared, "optimizer__lr": 1e-3}, seed=4)
    ten_steps = shrink(digits, 1000)
    assert _distances_from_plain(config, neighbour, ten_steps, epochs=1).quantile(0.998) <= 1e-6
    assert _distances_from_plain(config, neighbour, digits64, epochs=10).max() <= 1e-6


def _distances_from_plain(config: Config, neighbour: Config, splits: Splits, epochs: int) -> torch.Tensor:
    config, neighbour = (replace(c, trainer=replace(c.trainer, max_epochs=epochs)) for c in (config, neighbour))
    start = Stack([config], splits)
    initial = start.rows.unpack(start.rows.values_KP[0])
    n_steps = epochs * -(-len(splits.train.y_N) // 100)
    plain = train_plain(config, splits, initial, n_steps)
    ours = fit([neighbour, config], splits)[1].weights
    return torch.cat([(ours[name] - plain[name].reshape(ours[name].shape)).abs().flatten() for name in ours])
