"""A claim is judged by its interval, never by its mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ridgeline.evaluation.statistics import Estimate, over_seeds
from ridgeline_recipes.case_study.measuring import Measured, describe, judge
from ridgeline_recipes.case_study.variants import BY_NAME
from ridgeline_recipes.rules import (
    FAILS,
    HOLDS,
    OPEN,
    ends_after_about_five,
    helps,
    helps_a_little,
    helps_most,
    helps_not,
)


def between(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.5, 9.0)


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        (helps, 0.001, 0.02, HOLDS),
        (helps, -0.0001, 0.1, OPEN),
        (helps, -0.02, -0.001, FAILS),
        (helps_not, -0.02, -0.001, HOLDS),
        (helps_not, -0.02, 0.0, HOLDS),
        (helps_not, -0.1, 0.0001, OPEN),
        (helps_not, 0.001, 0.02, FAILS),
        (helps_a_little, 0.001, 0.009, HOLDS),
        (helps_a_little, 0.001, 0.011, OPEN),
        (helps_a_little, -0.001, 0.009, OPEN),
        (helps_a_little, 0.011, 0.03, FAILS),
        (helps_a_little, -0.03, -0.001, FAILS),
        (ends_after_about_five, 4.1, 5.9, HOLDS),
        (ends_after_about_five, 4.9, 6.1, OPEN),
        (ends_after_about_five, 6.1, 8.0, FAILS),
        (ends_after_about_five, 3.0, 3.9, FAILS),
    ],
)
def test_verdict_follows_the_interval(rule: Callable[[Estimate], str], low: float, high: float, verdict: str) -> None:
    assert rule(between(low, high)) == verdict


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([(0.001, 0.02), (0.002, 0.03)], HOLDS),
        ([(0.001, 0.02), (-0.002, 0.03)], OPEN),
        ([(0.001, 0.02), (-0.02, -0.001)], FAILS),
        ([(0.001, 0.02), (0.0, 0.0)], FAILS),  # the same networks
    ],
)
def test_most_means_more_than_each(gains: list[tuple[float, float]], verdict: str) -> None:
    assert helps_most([between(*gain) for gain in gains]) == verdict


def measured(draw: np.random.Generator, errors: dict[str, float], epochs: dict[str, float]) -> dict[str, Measured]:
    """Of 10 seeds and 4000 examples, some of which are harder than others for all networks alike."""
    hard_N = draw.random(4000)
    found = {}
    for name in BY_NAME:
        p_SN = (hard_N + 0.05 * draw.standard_normal((10, 4000))) < errors.get(name, 0.05)
        epochs_S = np.full(10, epochs.get(name, 10.0)) + draw.choice([-1.0, 0.0, 1.0], 10)
        found[name] = Measured({"validation": p_SN.astype(np.uint8), "test": p_SN.astype(np.uint8)}, epochs_S, [])
    return found


def test_what_is_true_of_the_networks_is_what_the_claims_say() -> None:
    truth = {"l2": 0.045, "l1": 0.10, "dropout": 0.045, "augmentation": 0.02, "augmentation_listing": 0.045}
    found = measured(np.random.default_rng(0), truth, {"early_stopping": 5.0, "early_stopping_listing": 19.0})
    found["augmentation_listing"] = found["dropout"]
    rows: dict[tuple[str, str], Any] = {(row["claim"], row["reading"]): row for row in judge(found, 10)}
    verdicts = {key: row["validation"]["verdict"] for key, row in rows.items()}
    assert verdicts["L2 helps", ""] == verdicts["L1 does not help", ""] == HOLDS
    assert verdicts["dropout helps a little", ""] == HOLDS
    assert verdicts["augmentation helps most", "text"] == HOLDS
    assert verdicts["augmentation helps most", "listing"] == FAILS
    assert rows["augmentation helps most", "listing"]["validation"]["what"] == "gain over dropout"
    assert verdicts["early stopping ends after about 5 epochs", "text"] == HOLDS
    assert verdicts["early stopping ends after about 5 epochs", "listing"] == FAILS
    assert rows["early stopping ends after about 5 epochs", "listing"]["validation"]["value"]["mean"] < 10
    assert rows["L2 helps", ""]["test"]["verdict"] == HOLDS


def test_pairing_finds_a_gain_that_the_accuracies_own_intervals_hide() -> None:
    found = measured(np.random.default_rng(1), {"l2": 0.045}, {})
    rows = {row["name"]: row for row in describe(found, dict.fromkeys(BY_NAME, ""))}
    baseline, l2 = (rows[name]["validation"]["accuracy"] for name in ("baseline", "l2"))
    assert baseline["high"] > l2["low"]
    assert rows["l2"]["validation"]["gain"]["low"] > 0
    assert rows["baseline"]["validation"]["gain"] is None


def test_interval_over_seeds_is_students() -> None:
    values_S = np.array([4.0, 5.0, 7.0, 5.0])
    found, theirs = over_seeds(values_S), stats.ttest_1samp(values_S, 0.0)
    low, high = theirs.confidence_interval(0.95)
    assert (found.low, found.high, found.p_value) == pytest.approx((low, high, theirs.pvalue))
    assert over_seeds(np.array([5.0, 5.0])).low == over_seeds(np.array([5.0, 5.0])).high == 5.0
