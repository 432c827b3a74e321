"""Intervals over seeds and examples hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ridgeline.evaluation.statistics import calibration_error, estimate


def crossed(draw: np.random.Generator, s: int, n: int, of_seeds: float, of_examples: float, rest: float) -> np.ndarray:
    """Values whose true mean is 0, with these standard deviations."""
    return (
        of_seeds * draw.standard_normal((s, 1))
        + of_examples * draw.standard_normal((1, n))
        + rest * draw.standard_normal((s, n))
    )


@pytest.mark.parametrize("spread", [(0.3, 0.0, 1.0), (0.0, 1.0, 1.0), (0.2, 1.0, 0.5), (0.0, 0.0, 1.0)])
def test_interval_covers_the_true_mean_in_at_least_95_percent(spread: tuple[float, float, float]) -> None:
    draw = np.random.default_rng(0)
    found = [estimate(crossed(draw, 8, 60, *spread)) for _ in range(2000)]
    covered = np.mean([e.low <= 0 <= e.high for e in found])
    assert covered >= 0.94  # 0.95 less two standard errors
    wrong = np.mean([e.p_value < 0.05 for e in found])
    assert wrong == pytest.approx(1 - covered, abs=1e-9)


def test_interval_is_not_wasteful_where_seeds_and_examples_both_matter() -> None:
    draw = np.random.default_rng(1)
    found = [estimate(crossed(draw, 8, 60, 0.2, 1.0, 0.5)) for _ in range(2000)]
    assert np.mean([e.low <= 0 <= e.high for e in found]) <= 0.98


def test_with_examples_alone_it_is_the_paired_t_test_over_examples() -> None:
    values_N = np.random.default_rng(2).standard_normal(50) + 0.3
    found = estimate(np.tile(values_N, (6, 1)))
    known = stats.ttest_1samp(values_N, 0.0)
    interval = known.confidence_interval(0.95)
    assert found.p_value == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.degrees_of_freedom == pytest.approx(49)


def test_more_seeds_of_the_same_examples_do_not_shrink_the_examples_part() -> None:
    draw = np.random.default_rng(3)
    values_SN = crossed(draw, 400, 50, 0.1, 1.0, 0.1)
    few, many = estimate(values_SN[:10]), estimate(values_SN)
    assert (many.high - many.low) == pytest.approx(few.high - few.low, rel=0.1)


@pytest.mark.parametrize("n", [36, 359])
def test_networks_that_err_alike_may_differ_by_what_so_many_examples_can_hide(n: int) -> None:
    found = estimate(np.zeros((3, n)))
    share = stats.binomtest(0, n).proportion_ci(0.95, "exact").high
    assert (found.mean, found.p_value, found.degrees_of_freedom) == (0.0, 1.0, None)
    assert (found.low, found.high) == pytest.approx((-share, share))
    assert share > 3 / n  # the rule of three


def test_one_example_told_apart_proves_nothing() -> None:
    one_SN = np.zeros((20, 36))
    one_SN[:, 5] = 1.0
    found = estimate(one_SN)
    assert found.p_value == 1.0
    assert found.low < 0 < found.mean < found.high
    assert found.high == pytest.approx(stats.binomtest(1, 36).proportion_ci(0.95, "exact").high)


def test_five_examples_told_apart_the_same_way_are_not_significant() -> None:
    five_SN = np.zeros((20, 359))
    five_SN[:, :5] = -1.0
    found = estimate(five_SN)
    assert found.low < 0 < found.high
    assert found.p_value > 2 * 0.5**5  # the sign test's


@pytest.mark.parametrize("told_apart", [0.5, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("one_way", [0.5, 0.9, 1.0])
def test_interval_covers_where_few_examples_tell_the_networks_apart(told_apart: float, one_way: float) -> None:
    draw, n, covered = np.random.default_rng(4), 200, 0
    true = told_apart / n * (2 * one_way - 1) / 2  # in half of the seeds
    for _ in range(200):
        sign_N = np.where(draw.random(n) < one_way, 1.0, -1.0) * (draw.random(n) < told_apart / n)
        values_SN = sign_N * (draw.random((8, n)) < draw.beta(0.5, 0.5, n))
        found = estimate(values_SN)
        covered += found.low <= true <= found.high
    assert covered / 200 >= 0.95


def test_every_example_told_apart_is_as_sure_as_the_sign_test() -> None:
    found = estimate(np.full((3, 8), -1.0))
    assert found.p_value == pytest.approx(stats.binomtest(0, 8).pvalue)
    assert found.low < -1 < found.high < 0
    assert estimate(np.full((3, 5), -1.0)).high > 0


def test_equal_losses_have_no_bound_to_speak_of() -> None:
    found = estimate(np.zeros((3, 5)), reach=math.inf)
    assert (found.low, found.high, found.p_value) == (0.0, 0.0, 1.0)


def test_calibration_error_of_known_cases() -> None:
    sure_NC = np.tile([1.0, 0.0], (4, 1))
    assert calibration_error(sure_NC, np.array([0, 0, 0, 0])) == 0.0
    assert calibration_error(sure_NC, np.array([0, 0, 0, 1])) == pytest.approx(0.25)
    two_bins_NC = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert calibration_error(two_bins_NC, np.array([0, 1, 0, 0])) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
