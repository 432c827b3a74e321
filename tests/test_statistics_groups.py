"""Intervals hold what they say where examples were drawn as groups, or count differently much."""

from __future__ import annotations

import math
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from ridgeline.evaluation.opened import Opened, keep, read
from ridgeline.evaluation.statistics import Sample, estimate
from ridgeline.evaluation.verdict import verdict

DRAW = np.random.default_rng


def test_examples_that_are_each_their_own_group_have_the_same_bits() -> None:
    values_SN = DRAW(0).standard_normal((5, 40))
    assert estimate(values_SN, sample=Sample(DRAW(1).permutation(40))) == estimate(values_SN)


def test_groups_of_one_size_count_as_their_means() -> None:
    groups_N = DRAW(0).permutation(np.repeat(np.arange(12), 5))
    values_SN = DRAW(1).standard_normal((6, 12))[:, groups_N] + DRAW(2).standard_normal((6, 60))
    means_SG = np.stack([values_SN[:, groups_N == group].mean(axis=1) for group in range(12)], axis=1)
    found = estimate(values_SN, reach=math.inf, sample=Sample(groups_N))
    assert astuple(found) == pytest.approx(astuple(estimate(means_SG, reach=math.inf)))


@pytest.mark.parametrize("groups", [8, 40])
@pytest.mark.parametrize("spread_of_sizes", [0.0, 0.8])
def test_interval_of_groups_covers_where_that_of_examples_does_not(groups: int, spread_of_sizes: float) -> None:
    draw, covered, naive = DRAW(3), 0, 0
    for _ in range(600):
        sizes_G = np.maximum(1, np.round(8 * np.exp(spread_of_sizes * draw.standard_normal(groups)))).astype(int)
        groups_N = np.repeat(np.arange(groups), sizes_G)
        values_SN = draw.standard_normal(groups)[groups_N] + 0.5 * draw.standard_normal((6, len(groups_N)))
        of_groups = estimate(values_SN, reach=math.inf, sample=Sample(groups_N))
        of_examples = estimate(values_SN, reach=math.inf)
        covered += of_groups.low <= 0 <= of_groups.high
        naive += of_examples.low <= 0 <= of_examples.high
    assert covered / 600 >= 0.92  # 0.94 less two standard errors
    assert naive / 600 < 0.65


def test_weight_of_an_example_is_so_many_copies_of_it() -> None:
    """Copies say nothing new: they are a group."""
    values_SN, weights_N = DRAW(4).standard_normal((5, 30)), DRAW(5).integers(1, 5, 30)
    copies_M = np.repeat(np.arange(30), weights_N)
    weighted = estimate(values_SN, sample=Sample(weights_N=weights_N))
    assert weighted.mean == pytest.approx(values_SN[:, copies_M].mean())
    copied = estimate(values_SN[:, copies_M], reach=math.inf, sample=Sample(copies_M))
    assert astuple(weighted) == pytest.approx(astuple(copied), abs=1e-3)  # apart from the bound by the median


def test_few_groups_that_err_alike_leave_a_wide_interval() -> None:
    found = estimate(np.zeros((3, 60)), sample=Sample(np.repeat(np.arange(6), 10)))
    assert found.high == pytest.approx(estimate(np.zeros((3, 6))).high)
    assert found.p_value == 1.0


@pytest.mark.parametrize("figure", ["error", "rmse"])
def test_verdict_names_the_groups(figure: str) -> None:
    arm = {"seeds": [0, 1], "test": {figure: {"mean": 0.2}}}
    difference = {figure: {"mean": -0.05, "low": -0.08, "high": -0.02, "p_value": 0.001}, "groups": 24}
    sentence = verdict(arm, arm, difference, {"regularization.l2": 0.1}, 600, figure)["sentence"]
    assert "24 groups" in sentence
    assert "group" not in verdict(arm, arm, {figure: difference[figure]}, {"a": 1}, 600, figure)["sentence"]


def test_kept_predictions_keep_the_groups(tmp_path: Path) -> None:
    sample = Sample(np.array([0, 0, 1]), np.array([1.0, 2.0, 3.0]))
    keep(Opened(np.zeros(3), {}, {}, {"number": 1}, sample), tmp_path / "kept.safetensors")
    again = read(tmp_path / "kept.safetensors").sample
    assert again.groups_N is not None
    assert again.weights_N is not None
    assert again.groups_N.tolist() == [0, 0, 1]
    assert again.weights_N.tolist() == [1.0, 2.0, 3.0]
