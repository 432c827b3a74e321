"""Intervals over seeds and examples hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ridgeline.evidence.statistics import calibration_error, estimate


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


def test_values_all_alike_have_no_interval() -> None:
    assert estimate(np.zeros((3, 5))).p_value == 1.0
    found = estimate(np.full((3, 5), 0.25))
    assert (found.low, found.high, found.p_value) == (0.25, 0.25, 0.0)
    assert math.isinf(found.degrees_of_freedom)


def test_calibration_error_of_known_cases() -> None:
    sure_NC = np.tile([1.0, 0.0], (4, 1))
    assert calibration_error(sure_NC, np.array([0, 0, 0, 0])) == 0.0
    assert calibration_error(sure_NC, np.array([0, 0, 0, 1])) == pytest.approx(0.25)
    two_bins_NC = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert calibration_error(two_bins_NC, np.array([0, 1, 0, 0])) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
