"""Standardization and whitening with statistics of the train split, of features and, in regression, of targets.

N examples, M of them, I features; of images C channels, P pixels, V values of a byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.checking import require
from ridgeline.config import DataConfig, TableConfig
from ridgeline.data.source import Source
from ridgeline.images.chunks import chunks

if TYPE_CHECKING:
    from ridgeline.tables.encoding import Encoder

OF_VALUES = ("none", "all", "channel")
"""Ways to standardize for which it is enough to know how often each value occurs."""


@dataclass(frozen=True)
class Scaler:
    """`(x - mean_I) / std_I`, float32, then `@ whitening_II` where there is one; of a table, what its `encoder` makes.

    A constant feature has the deviation 1 here, so it becomes 0. `target_mean` and `target_std`, one number each, are
    of the targets in regression, and None where these are classes.
    """

    mean_I: np.ndarray
    std_I: np.ndarray
    whitening_II: np.ndarray | None = None
    encoder: Encoder | None = None
    target_mean: np.ndarray | None = None
    target_std: np.ndarray | None = None

    def apply(self, x_NI: Any) -> np.ndarray:
        """`x`: features (N, I) float32, or a frame with the columns of the table."""
        if self.encoder is not None:
            return self.encoder.apply(x_NI)
        scaled_NI: np.ndarray = (x_NI - self.mean_I) / self.std_I  # of bytes too: they become float32
        return scaled_NI if self.whitening_II is None else scaled_NI @ self.whitening_II

    def undo(self, x_NI: np.ndarray) -> np.ndarray:
        """The features in their own units, float32, of what `apply` gave; encoded columns stay encoded."""
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
        return {name: array for name, array in vars(self).items() if isinstance(array, np.ndarray)}


def scaler_of(
    source: Source,
    rows: np.ndarray,
    config: DataConfig,
    known: np.ndarray | None = None,
    counts_CV: np.ndarray | None = None,
) -> Scaler:
    """The statistics of these rows, features and targets.

    `known`: the rows of a table whose categories are known; None: these alone. Folds have the same ones, and so the
    same features. `counts`: of images as bytes, what `count_values` gives for these rows, if it is known.
    """
    if source.frame is not None:
        scaler = _encoding(source, rows, config, rows if known is None else known)
    elif source.is_bytes:
        counts_CV = count_values(source, rows) if counts_CV is None else counts_CV
        scaler = scaler_of_values(counts_CV, source.n_features, config.standardize)
    else:
        scaler = fit_scaler(source.features(rows), config, source.image_shape)
    if source.task == "classification":
        return scaler
    y_N = source.y_N[rows]
    return replace(scaler, target_mean=np.array(y_N.mean()), target_std=np.array(y_N.std()))


def _encoding(source: Source, rows: np.ndarray, config: DataConfig, known: np.ndarray) -> Scaler:
    from ridgeline.tables.fitting import fit_encoder  # pandas, which other data do without
    from ridgeline.tables.values import SomeRows

    assert isinstance(config, TableConfig)
    assert source.frame is not None
    train, vocabulary = SomeRows(source.frame, rows), SomeRows(source.frame, known)
    encoder = fit_encoder(
        train, source.columns, standardize=config.standardize, one_hot=config.one_hot, vocabulary=vocabulary
    )
    n_features = len(encoder.features)
    return Scaler(np.zeros(n_features, np.float32), np.ones(n_features, np.float32), encoder=encoder)


def count_values(source: Source, rows: np.ndarray) -> np.ndarray:
    """(C, V) How often each value of a byte occurs in each channel of these images."""
    assert source.x_NI is not None
    assert source.image_shape is not None
    n_channels = source.image_shape[0]
    counts_CV = np.zeros((n_channels, 256), np.int64)
    for some in chunks(rows, source.n_features):
        x_MCP = source.x_NI[some].reshape(-1, n_channels, source.x_NI.shape[1] // n_channels)
        for c in range(n_channels):
            counts_CV[c] += np.bincount(x_MCP[:, c].ravel(), minlength=256)
    return counts_CV


def scaler_of_values(counts_CV: np.ndarray, n_features: int, standardize: str) -> Scaler:
    """The statistics of images as bytes, exact however many they are. `none` brings them into [0, 1]."""
    if standardize == "none":
        return Scaler(np.zeros(n_features, np.float32), np.full(n_features, 255, np.float32))
    counts_CV = counts_CV.sum(axis=0, keepdims=True) if standardize == "all" else counts_CV
    values_V, count_C = np.arange(256), counts_CV.sum(axis=1)
    mean_C = counts_CV @ values_V / count_C
    variance_C = (counts_CV * np.square(values_V - mean_C[:, None])).sum(axis=1) / count_C
    std_C = np.where(variance_C == 0, 1, np.sqrt(variance_C))
    mean_I, std_I = (np.repeat(own_C.astype(np.float32), n_features // len(own_C)) for own_C in (mean_C, std_C))
    return Scaler(mean_I, std_I)


def fit_scaler(x_NI: np.ndarray, config: DataConfig, image_shape: tuple[int, ...] | None = None) -> Scaler:
    """The statistics of `x_NI`: for each feature, or one mean and one deviation for all, or for each channel of images
    whose `image_shape` is (C, H, W), or (`none`) 0 and 1.

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
    if config.standardize == "channel":
        rule = "data.standardize=channel only of images"
        require(image_shape is not None, rule, "data.name", config.name)
        assert image_shape is not None
        x_NCP = x_NI.reshape(len(x_NI), image_shape[0], -1)
        own = [fit_scaler(x_NCP[:, c], replace(config, standardize="all")) for c in range(image_shape[0])]
        return Scaler(np.concatenate([one.mean_I for one in own]), np.concatenate([one.std_I for one in own]))
    axis = 0 if config.standardize == "feature" else None
    # Sums of float32 are exact in float64, so that the deviation of a constant is exactly 0.
    mean = np.float32(np.mean(x_NI, axis, dtype=np.float64))
    std = np.float32(np.std(x_NI, axis, dtype=np.float64))
    return Scaler(
        np.broadcast_to(mean, n_features), np.broadcast_to(np.where(std == 0, np.float32(1), std), n_features)
    )
