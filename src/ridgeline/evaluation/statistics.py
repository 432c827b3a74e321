"""Intervals that cover seeds and examples: what was measured on the same test examples with each of several seeds.

S seeds, N examples, G groups of examples, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Sample:
    """Which examples were drawn together, by the number of their group, and how much each of them counts. None: each
    was drawn by itself; all count alike."""

    groups_N: np.ndarray | None = None
    weights_N: np.ndarray | None = None

    @property
    def n_groups(self) -> int | None:
        """None where each example was drawn by itself."""
        return None if self.groups_N is None else len(np.unique(self.groups_N))

    def mean(self, values_SN: np.ndarray) -> float:
        if self.weights_N is None:
            return float(values_SN.mean())
        return float(np.average(values_SN.mean(axis=0), weights=self.weights_N))

    def count(self, n_examples: int) -> float:
        """As how many independent ones `n_examples` count: all, or as many as there are groups, and fewer where some
        have more weight than others (Kish 1965)."""
        share = self.shares(n_examples)
        return n_examples if share is None else 1 / float((share**2).sum())

    def shares(self, n_examples: int) -> np.ndarray | None:
        """(G,) Of all weight, that of each group or else of each example; None: all have the same and are by
        themselves."""
        if self.weights_N is None and (self.groups_N is None or self.n_groups == n_examples):
            return None
        weights_N = np.ones(n_examples) if self.weights_N is None else self.weights_N.astype(np.float64)
        weight_G: np.ndarray = np.bincount(self.numbers(n_examples), weights=weights_N)
        return weight_G / weight_G.sum()

    def numbers(self, n_examples: int) -> np.ndarray:
        """(N,) The group of each example, from 0 to G-1."""
        if self.groups_N is None:
            return np.arange(n_examples)
        numbers_N: np.ndarray = np.unique(self.groups_N, return_inverse=True)[1]
        return numbers_N

    @property
    def test(self) -> str:
        """What the test of a mean of these examples is, in words."""
        of = "" if self.groups_N is None else "groups of "
        return f"two-way t test, seeds and {of}test examples crossed"


EACH = Sample()
"""Examples that were each drawn by themselves and count alike."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval, and the test of whether it is 0. No degrees of freedom: too few values differ."""

    mean: float
    low: float
    high: float
    p_value: float
    degrees_of_freedom: float | None


def estimate(values_SN: np.ndarray, *, reach: float = 1.0, sample: Sample = EACH) -> Estimate:
    """The mean over seeds and examples, both a sample of many: another seed and another example would differ.

    The variance of a mean of crossed random effects is V_seeds + V_examples - V_rest, each estimated from its own
    means (Cameron, Gelbach, Miller 2011; Owen 2007); it is taken no smaller than the larger of the first two. Degrees
    of freedom by Satterthwaite. Needs two seeds and two examples.

    Examples that were drawn as groups are as many as there are groups: of each the sum stands for its examples, so
    that these may depend on each other in any way. Needs two groups.

    Errors, and differences of two networks' errors, are 0 for most examples. Those on which all is alike say nothing of
    the spread, so the degrees of freedom of examples are counted by the k others. And the mean is no further from that
    common value than the share of others which N examples may hide: the upper end of the interval of k in N (Clopper,
    Pearson 1934; with k = 0 it is 3.7 / N, as in the rule of three). So where two networks err alike, the interval is
    as wide as so few examples leave it, and p is 1.

    `reach`: how far from 0 a value may be; infinite for losses, which have no such bound.
    """
    common = float(np.median(values_SN))
    differs_N = (values_SN != common).any(axis=0)
    n_alike, share_N = sample.count(values_SN.shape[1]), sample.shares(values_SN.shape[1])
    if share_N is not None:
        values_SN, differs_N = _independent(values_SN, differs_N, sample)
    n_seeds, n_examples = values_SN.shape
    mean, others = float(values_SN.mean()), int(differs_N.sum())
    if others < 2 and math.isinf(reach):
        return Estimate(mean, mean, mean, 1.0 if mean == 0 else 0.0, None)
    hidden = (reach + abs(common)) * _largest_share(others, n_alike) if math.isfinite(reach) else math.inf
    if others < 2:
        p_value = min(1.0, 2 * (1 - abs(common) / (reach + abs(common))) ** n_alike)
        return Estimate(mean, common - hidden, common + hidden, p_value, None)
    of_seeds_S, of_examples_N = values_SN.mean(axis=1), values_SN.mean(axis=0)
    rest_SN = values_SN - of_seeds_S[:, None] - of_examples_N[None, :] + mean
    by_seeds = float(of_seeds_S.var(ddof=1)) / n_seeds
    by_examples = float(of_examples_N.var(ddof=1)) / n_examples
    rest = float((rest_SN**2).sum()) / ((n_seeds - 1) * (n_examples - 1)) / (n_seeds * n_examples)
    variance = max(by_seeds, by_examples, by_seeds + by_examples - rest) or rest  # 0 where only seeds trade examples
    told = others - 1 if share_N is None else _freedom(share_N[differs_N])
    parts = by_seeds**2 / (n_seeds - 1) + by_examples**2 / told
    parts += rest**2 / ((n_seeds - 1) * told)
    freedom = variance**2 / parts
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(variance)
    p_value = 2 * float(stats.t.sf(abs(mean) / math.sqrt(variance), freedom))
    return Estimate(mean, max(mean - half, common - hidden), min(mean + half, common + hidden), p_value, freedom)


def _independent(values_SN: np.ndarray, differs_N: np.ndarray, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """(S, G) Values of what was drawn independently, groups or else examples: their plain mean is the weighted mean of
    the examples, and how far each is from it is what it adds to that mean's error. And whether it differs (`differs_N`)
    in any of its examples.

    A mean over groups of different sizes is a ratio of two sums; to first order its error is the sum over the groups of
    weight * (value - mean), divided by all weight (Cochran 1977, 6.3).
    """
    groups_N, mean = sample.numbers(values_SN.shape[1]), sample.mean(values_SN)
    weights_N = np.ones(len(groups_N)) if sample.weights_N is None else sample.weights_N.astype(np.float64)
    errors_SN = (values_SN - mean) * (weights_N / weights_N.sum())
    errors_SG = np.stack([np.bincount(groups_N, weights=error_N) for error_N in errors_SN])
    return mean + errors_SG.shape[1] * errors_SG, np.bincount(groups_N, weights=differs_N) > 0


def _freedom(share_G: np.ndarray) -> float:
    """Degrees of freedom of a variance between groups with these shares of the weight, at least 1: one less than there
    are groups where all have the same, and fewer where some have much of it, by Kish's (1965) count."""
    return max(1.0, float(share_G.sum() ** 2 / (share_G**2).sum()) - 1)


def of_root(squared: Estimate) -> Estimate:
    """The root of a mean of squares with its interval: RMSE of the mean squared error."""
    mean, low, high = (math.sqrt(max(0.0, value)) for value in (squared.mean, squared.low, squared.high))
    return Estimate(mean, low, high, squared.p_value, squared.degrees_of_freedom)


def of_roots(squared: Estimate, one: float, other: float) -> Estimate:
    """The difference of the roots `one` and `other` of two means of squares, of the difference of these means.

    a - b = (a^2 - b^2) / (a + b). Whether it is 0 is the same question, and has the same answer.
    """
    total = one + other
    if total == 0:
        return squared
    mean, low, high = (value / total for value in (squared.mean, squared.low, squared.high))
    return Estimate(mean, low, high, squared.p_value, squared.degrees_of_freedom)


def _largest_share(count: int, n: float) -> float:
    """The upper end of Clopper and Pearson's interval of a share, when `count` of `n` have been seen."""
    return 1.0 if count >= n else float(stats.beta.ppf((1 + LEVEL) / 2, count + 1, n - count))


def over_seeds(values_S: np.ndarray) -> Estimate:
    """The mean of one number a seed, by the t distribution. Needs two seeds; without variance as `estimate`."""
    mean, freedom = float(values_S.mean()), len(values_S) - 1
    error = float(values_S.std(ddof=1)) / math.sqrt(len(values_S))
    if error == 0:
        return Estimate(mean, mean, mean, 1.0 if mean == 0 else 0.0, None)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return Estimate(mean, mean - half, mean + half, 2 * float(stats.t.sf(abs(mean) / error, freedom)), freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several tests, adjusted for their number (Holm 1979): to call those below 0.05 shown errs in any of
    them with a probability of at most 5%, however the tests depend on each other."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def calibration_error(
    probabilities_NC: np.ndarray, labels_N: np.ndarray, bins: int = 15, weights_N: np.ndarray | None = None
) -> float:
    """ECE (Guo 2017): how far confidence and accuracy are apart, over bins of equal width, weighted by examples."""
    confidence_N = probabilities_NC.max(axis=1)
    correct_N = probabilities_NC.argmax(axis=1) == labels_N
    bin_N = np.minimum((confidence_N * bins).astype(int), bins - 1)
    if weights_N is None:
        gap = np.bincount(bin_N, weights=confidence_N - correct_N, minlength=bins)
        return float(np.abs(gap).sum() / len(labels_N))
    gap = np.bincount(bin_N, weights=weights_N * (confidence_N - correct_N), minlength=bins)
    return float(np.abs(gap).sum() / weights_N.sum())
