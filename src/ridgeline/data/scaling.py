"""Standardization with statistics of the train part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ridgeline.config import DataConfig


@dataclass(frozen=True)
class Scaling:
    """`(x - mean_I) / std_I`, float32. A constant feature has the deviation 1 here, so it becomes 0."""

    mean_I: np.ndarray
    std_I: np.ndarray

    def apply(self, x_NI: np.ndarray) -> np.ndarray:
        return (x_NI - self.mean_I) / self.std_I


def fit_scaling(x_NI: np.ndarray, config: DataConfig) -> Scaling:
    """The statistics of `x_NI`: for each feature, or one mean and one deviation for all, or (`none`) 0 and 1."""
    n_features = x_NI.shape[1]
    if config.standardize == "none":
        return Scaling(np.zeros(n_features, np.float32), np.ones(n_features, np.float32))
    axis = 0 if config.standardize == "feature" else None
    # Sums of float32 are exact in float64, so that the deviation of a constant is exactly 0.
    mean = np.float32(np.mean(x_NI, axis, dtype=np.float64))
    std = np.float32(np.std(x_NI, axis, dtype=np.float64))
    return Scaling(
        np.broadcast_to(mean, n_features), np.broadcast_to(np.where(std == 0, np.float32(1), std), n_features)
    )
