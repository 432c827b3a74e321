"""Standardization and whitening with statistics of the train split, of features and, in regression, of targets.

N examples, I features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ridgeline.config import DataConfig
from ridgeline.data.sources import Source


@dataclass(frozen=True)
class Scaler:
    """`(x - mean_I) / std_I`, float32, then `@ whitening_II` where there is one.

    A constant feature has the deviation 1 here, so it becomes 0. `target_mean` and `target_std`, one number each, are
    of the targets in regression, and None where these are classes.
    """

    mean_I: np.ndarray
    std_I: np.ndarray
    whitening_II: np.ndarray | None = None
    target_mean: np.ndarray | None = None
    target_std: np.ndarray | None = None

    def apply(self, x_NI: np.ndarray) -> np.ndarray:
        scaled_NI: np.ndarray = (x_NI - self.mean_I) / self.std_I
        return scaled_NI if self.whitening_II is None else scaled_NI @ self.whitening_II

    def undo(self, x_NI: np.ndarray) -> np.ndarray:
        """The features in their own units, float32, of what `apply` gave."""
        if self.whitening_II is not None:  # in float64: a whitening may be far from orthogonal
            x_NI = np.linalg.solve(self.whitening_II.T.astype(np.float64), x_NI.T).T.astype(np.float32)
        return x_NI * self.std_I + self.mean_I

    def apply_to_targets(self, y_N: np.ndarray) -> np.ndarray:
        """Standardized, float32; classes stay as they are."""
        if self.target_std is None:
            return y_N
        scaled_N: np.ndarray = (y_N - self.target_mean) / self.target_std
        return scaled_N.astype(np.float32)

    def undo_targets(self, y_N: np.ndarray) -> np.ndarray:
        """Numbers in the targets' own unit, float64, of standardized ones."""
        assert self.target_std is not None
        assert self.target_mean is not None
        own_N: np.ndarray = np.asarray(y_N, np.float64) * self.target_std + self.target_mean
        return own_N

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by the names of their fields, so that `Scaler(**arrays)` is the same scaler."""
        return {name: array for name, array in vars(self).items() if array is not None}


def scaler_of(source: Source, rows: np.ndarray, config: DataConfig) -> Scaler:
    """The statistics of these rows, features and targets."""
    scaler = fit_scaler(source.x_NI[rows], config)
    if source.task == "classification":
        return scaler
    y_N = source.y_N[rows]
    return replace(scaler, target_mean=np.array(y_N.mean()), target_std=np.array(y_N.std()))


def fit_scaler(x_NI: np.ndarray, config: DataConfig) -> Scaler:
    """The statistics of `x_NI`: for each feature, or one mean and one deviation for all, or (`none`) 0 and 1.

    zca (Bell, Sejnowski 1997): U (D + epsilon)^(-1/2) U^T with the eigenvectors U and eigenvalues D of the covariance,
    the whitening that changes x least. Keras has the same formula, with an epsilon of 1e-6.
    """
    n_features = x_NI.shape[1]
    if config.standardize == "zca":
        mean_I: np.ndarray = x_NI.mean(axis=0, dtype=np.float64)
        centred_NI = x_NI - mean_I
        variances_I, directions_II = np.linalg.eigh(centred_NI.T @ centred_NI / len(x_NI))
        shrunk_II = directions_II / np.sqrt(variances_I.clip(0) + config.zca_epsilon)
        whitening_II = (shrunk_II @ directions_II.T).astype(np.float32)
        return Scaler(mean_I.astype(np.float32), np.ones(n_features, np.float32), whitening_II)
    if config.standardize == "none":
        return Scaler(np.zeros(n_features, np.float32), np.ones(n_features, np.float32))
    axis = 0 if config.standardize == "feature" else None
    # Sums of float32 are exact in float64, so that the deviation of a constant is exactly 0.
    mean = np.float32(np.mean(x_NI, axis, dtype=np.float64))
    std = np.float32(np.std(x_NI, axis, dtype=np.float64))
    return Scaler(
        np.broadcast_to(mean, n_features), np.broadcast_to(np.where(std == 0, np.float32(1), std), n_features)
    )
