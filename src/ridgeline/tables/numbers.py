"""Numbers on one scale: missing ones are imputed and marked, all are standardized.

N rows, C columns, Q ranks, B bounds of bins. What is learned of a column is of its train values, missing ones aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Standardize = Literal["feature", "quantile", "squash", "all", "none"]
Kind = Literal["number", "part", "boolean"]
"""What a column of numbers holds: a measured number; a rank or a part of a date, which are standardized by feature
whatever `standardize` says; or 0 and 1, which stay so."""

CLIP = 3.0
"""The largest absolute value of a squashed number."""
N_RANKS = 1000
N_BOUNDS = 65
TAIL = 1e-7
"""A quantile transform takes no probability nearer to 0 or 1 than that, as scikit-learn's."""
BOUND = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Numbers:
    """A missing x becomes `fill_C`, and is 1 in a column of its own where `marked_C` says so. Then, in float64, x is

    feature, all, none: (x - center_C) / scale_C.
    quantile: the normal quantile of the rank of x among `ranks_QC`, scikit-learn's QuantileTransformer.
    squash: z / sqrt(1 + (z / 3)^2) of z = (x - median) / interquartile range, RealMLP's robust scale and smooth clip
    (Holzmüller, Grinsztajn, Steinwart 2024).

    `standardize` is about the first `n_numbers` columns; the others have a center and a scale. `bounds_BC`: quantiles
    of what becomes of the train values, ascending.
    """

    standardize: Standardize
    n_numbers: int
    fill_C: np.ndarray
    marked_C: np.ndarray
    center_C: np.ndarray
    scale_C: np.ndarray
    ranks_QC: np.ndarray
    bounds_BC: np.ndarray

    def apply(self, x_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The standardized columns, float64 within float32's range; and for each marked one whether it is missing."""
        missing_NC = np.isnan(x_NC)
        if missing_NC.any():
            x_NC = np.where(missing_NC, self.fill_C, x_NC)
        with np.errstate(over="ignore"):  # infinity, which is clipped below
            z_NC = (x_NC - self.center_C) / self.scale_C
        n = self.n_numbers
        if self.standardize == "squash":
            z_NC[:, :n] = squash(z_NC[:, :n])
        if self.standardize == "quantile":
            z_NC[:, :n] = to_normal(x_NC[:, :n], self.ranks_QC)
        return z_NC.clip(-BOUND, BOUND), missing_NC[:, self.marked_C]


def squash(z: np.ndarray) -> np.ndarray:
    z = z.clip(-1e100, 1e100)  # whose square is finite
    squashed: np.ndarray = z / np.sqrt(1 + (z / CLIP) ** 2)
    return squashed


def to_normal(x_NC: np.ndarray, ranks_QC: np.ndarray) -> np.ndarray:
    """The normal quantile of the rank of each x; where several ranks are equal to x, of the middle one."""
    from scipy.special import ndtri

    steps_Q = np.linspace(0, 1, len(ranks_QC))
    share_NC = np.empty(x_NC.shape)
    for x_N, ranks_Q, share_N in zip(x_NC.T, ranks_QC.T, share_NC.T, strict=True):
        share_N[:] = (np.interp(x_N, ranks_Q, steps_Q) - np.interp(-x_N, -ranks_Q[::-1], -steps_Q[::-1])) / 2
        share_N[x_N == ranks_Q[-1]] = 1
        share_N[x_N == ranks_Q[0]] = 0
    edge = -ndtri(TAIL - np.spacing(1))
    normal_NC: np.ndarray = ndtri(share_NC).clip(-edge, edge)
    return normal_NC


def fit_numbers(
    columns: Iterable[np.ndarray],
    kinds: Sequence[Kind],
    marked: Sequence[bool],
    standardize: Standardize,
) -> Numbers:
    """What is learned of the columns: of each its train values, float64, NaN for missing ones. One at a time is in
    memory. Columns of kind "number" come first."""
    n, n_numbers = len(kinds), sum(kind == "number" for kind in kinds)
    means_C, variances_C, counts_C, medians_C = np.zeros((4, n))
    robust_C, bounds_BC, ranks = np.ones(n), np.zeros((N_BOUNDS, n)), []
    for c, x_N in enumerate(columns):
        n_rows, x_N = len(x_N), np.sort(x_N[~np.isnan(x_N)])
        counts_C[c] = len(x_N)
        x_N = x_N if len(x_N) else np.zeros(1)
        means_C[c] = x_N.mean() if x_N[0] < x_N[-1] else x_N[0]  # a constant's deviation is exactly 0
        variances_C[c] = np.square(x_N - means_C[c]).mean()
        medians_C[c], robust_C[c] = np.median(x_N), _robust_scale(x_N)
        bounds_BC[:, c] = _bounds(x_N)
        if standardize == "quantile" and c < n_numbers:
            ranks.append(np.maximum.accumulate(np.quantile(x_N, np.linspace(0, 1, min(N_RANKS, n_rows)))))
    center_C, scale_C, fill_C = means_C.copy(), np.sqrt(variances_C), means_C.copy()
    own = np.arange(n) < n_numbers
    if standardize in ("quantile", "squash"):
        center_C[own] = fill_C[own] = medians_C[own]
        scale_C[own] = robust_C[own]
    if standardize == "all" and counts_C[own].sum():
        center_C[own] = np.average(means_C[own], weights=counts_C[own])
        spread_C = variances_C[own] + (means_C[own] - center_C[own]) ** 2
        scale_C[own] = np.sqrt(np.average(spread_C, weights=counts_C[own]))
    unscaled = np.array([kind == "boolean" or (kind == "number" and standardize == "none") for kind in kinds], bool)
    center_C[unscaled], scale_C[unscaled] = 0, 1
    scale_C[scale_C == 0] = 1
    ranks_QC = np.stack(ranks, axis=1) if ranks else np.zeros((0, 0))
    numbers = Numbers(
        standardize, n_numbers, fill_C, np.array(marked, bool), center_C, scale_C, ranks_QC, np.zeros((0, n))
    )
    return replace(numbers, bounds_BC=numbers.apply(bounds_BC)[0])


def _robust_scale(x_N: np.ndarray) -> float:
    """The interquartile range; half the range where it is 0."""
    low, high = np.quantile(x_N, (0.25, 0.75))
    return float(high - low) or float(x_N[-1] - x_N[0]) / 2


def _bounds(x_N: np.ndarray) -> np.ndarray:
    """Quantiles of sorted values; of the distinct ones where most quantiles would be the same."""
    steps_B = np.linspace(0, 1, N_BOUNDS)
    bounds_B = np.quantile(x_N, steps_B)
    if len(np.unique(bounds_B)) <= N_BOUNDS // 2:
        bounds_B = np.quantile(x_N[np.diff(x_N, prepend=np.nan) != 0], steps_B)
    ascending_B: np.ndarray = np.maximum.accumulate(bounds_B)
    return ascending_B
