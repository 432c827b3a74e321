"""Intervals that cover seeds and examples: what was measured on the same test examples with each of several seeds.

S seeds, N examples, C classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

TEST = "two-way t test, seeds and test examples crossed"
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval, and the test of whether it is 0."""

    mean: float
    low: float
    high: float
    p_value: float
    degrees_of_freedom: float


def estimate(values_SN: np.ndarray) -> Estimate:
    """The mean over seeds and examples, both a sample of many: another seed and another example would differ.

    The variance of a mean of crossed random effects is V_seeds + V_examples - V_rest, each estimated from its own
    means (Cameron, Gelbach, Miller 2011; Owen 2007); it is taken no smaller than the larger of the first two. Degrees
    of freedom by Satterthwaite. Needs two seeds and two examples. Values that are all alike have no variance: their
    interval is a point.
    """
    n_seeds, n_examples = values_SN.shape
    mean = float(values_SN.mean())
    of_seeds_S, of_examples_N = values_SN.mean(axis=1), values_SN.mean(axis=0)
    rest_SN = values_SN - of_seeds_S[:, None] - of_examples_N[None, :] + mean
    by_seeds = float(of_seeds_S.var(ddof=1)) / n_seeds
    by_examples = float(of_examples_N.var(ddof=1)) / n_examples
    rest = float((rest_SN**2).sum()) / ((n_seeds - 1) * (n_examples - 1)) / (n_seeds * n_examples)
    variance = max(by_seeds, by_examples, by_seeds + by_examples - rest)
    if variance == 0:
        return Estimate(mean, mean, mean, 1.0 if mean == 0 else 0.0, math.inf)
    parts = by_seeds**2 / (n_seeds - 1) + by_examples**2 / (n_examples - 1)
    parts += rest**2 / ((n_seeds - 1) * (n_examples - 1))
    freedom = variance**2 / parts
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(variance)
    p_value = 2 * float(stats.t.sf(abs(mean) / math.sqrt(variance), freedom))
    return Estimate(mean, mean - half, mean + half, p_value, freedom)


def over_seeds(values_S: np.ndarray) -> Estimate:
    """The mean of one number a seed, by the t distribution. Needs two seeds; without variance as `estimate`."""
    mean, freedom = float(values_S.mean()), len(values_S) - 1
    error = float(values_S.std(ddof=1)) / math.sqrt(len(values_S))
    if error == 0:
        return Estimate(mean, mean, mean, 1.0 if mean == 0 else 0.0, math.inf)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return Estimate(mean, mean - half, mean + half, 2 * float(stats.t.sf(abs(mean) / error, freedom)), freedom)


def calibration_error(probabilities_NC: np.ndarray, labels_N: np.ndarray, bins: int = 15) -> float:
    """ECE (Guo 2017): how far confidence and accuracy are apart, over bins of equal width, weighted by examples."""
    confidence_N = probabilities_NC.max(axis=1)
    correct_N = probabilities_NC.argmax(axis=1) == labels_N
    bin_N = np.minimum((confidence_N * bins).astype(int), bins - 1)
    gap = np.bincount(bin_N, weights=confidence_N - correct_N, minlength=bins)
    return float(np.abs(gap).sum() / len(labels_N))
