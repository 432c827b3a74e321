"""The train and the validation split as NumPy arrays, and what the data set is: all that is known before torch is
there.

N examples, I features, F folds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ridgeline.checking import require
from ridgeline.config import DataConfig
from ridgeline.data.rows import RowNumbers
from ridgeline.data.scaler import Scaler
from ridgeline.data.source import Source
from ridgeline.finding import Finding
from ridgeline.tasks.losses import Task

PIECE = 16_384
"""So many rows of a table are read and encoded at a time."""


class Examples(NamedTuple):
    """How many examples each split has; with folds, those of the first."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class DataDescription:
    """What is logged with every run. `hash`: SHA-256 over the contents read, the split and the standardization, as hex.

    Equal hashes mean equal tensors, whatever folder, compression or mirror the data came from. `classes`: 0 in
    regression. `class_names`: what the user calls them, where they have names.
    """

    name: str
    examples: Examples
    features: int
    classes: int
    hash: str
    class_names: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        return "classification" if self.classes else "regression"

    @property
    def n_outputs(self) -> int:
        """What a network has for each example: a number for each class, or one in regression."""
        return self.classes or 1


class ArraySplit(NamedTuple):
    """Standardized features (N, I) float32 and targets (N,): labels int64, or in regression standardized, float32. Of
    images that are kept as bytes, these, uint8, as they are: the scaler's mean and deviation are for each batch.

    Of several folds, one fold comes after the other.

    `sizes`: how many examples each fold has, where there are folds. `w_N`: how much each example counts, float32, 1 in
    the mean over the split; None: all count alike.
    """

    x_NI: np.ndarray
    y_N: np.ndarray
    sizes: tuple[int, ...] = ()
    w_N: np.ndarray | None = None


@dataclass(frozen=True)
class ArraySplits:
    """What a search may see. The test split is counted in the description, and is nowhere in here. `notes`: as `Source`
    has them. `findings`: what looks wrong in images."""

    train: ArraySplit
    validation: ArraySplit
    scalers: tuple[Scaler, ...]
    n_classes: int
    image_shape: tuple[int, int, int] | None
    description: DataDescription
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def take_rows(source: Source, rows: np.ndarray, scaler: Scaler) -> ArraySplit:
    """The standardized examples of `rows`, or their bytes: copies, so that a split's storage holds no other row."""
    y_N, w_N = take_targets(source, rows, scaler)
    if source.is_bytes:
        assert source.x_NI is not None
        return ArraySplit(source.x_NI[rows], y_N, w_N=w_N)
    if source.frame is None:
        return ArraySplit(scaler.apply(source.features(rows)), y_N, w_N=w_N)
    x_NI = np.empty((len(rows), len(scaler.mean_I)), np.float32)
    for start in range(0, len(rows), PIECE):
        x_NI[start : start + PIECE] = scaler.apply(source.features(rows[start : start + PIECE]))
    return ArraySplit(x_NI, y_N, w_N=w_N)


def take_targets(source: Source, rows: np.ndarray, scaler: Scaler) -> tuple[np.ndarray, np.ndarray | None]:
    """What is predicted of the examples of `rows`, and how much each counts."""
    w_N = None if source.weights_N is None else _mean_1(source.weights_N[rows])
    return scaler.apply_to_targets(source.y_N[rows]), w_N


def _mean_1(weights_N: np.ndarray) -> np.ndarray:
    """In these units a mean over the split is one of weight * value."""
    rule = "each split holds an example with a data.weight above 0"
    require(bool(weights_N.any()), rule, "data.weight", f"0 in all {len(weights_N)} examples of one")
    own_N: np.ndarray = (weights_N / weights_N.mean()).astype(np.float32)
    return own_N


def joined(folds: Sequence[np.ndarray]) -> np.ndarray:
    """The rows of one fold after those of the other; a fold that has fewer repeats its first ones."""
    if len(folds) == 1:
        return folds[0]
    longest = max(map(len, folds))
    return np.concatenate([rows[np.resize(np.arange(len(rows)), longest)] for rows in folds])


def sizes_of(folds: Sequence[np.ndarray]) -> tuple[int, ...]:
    """As `ArraySplit` has them."""
    return tuple(map(len, folds)) if len(folds) > 1 else ()


def describe_rows(source: Source, folds: Sequence[RowNumbers], config: DataConfig, n_features: int) -> DataDescription:
    """What the data set is, with the hash that makes it another one."""
    # The row numbers themselves rather than the settings: another version of a library might shuffle otherwise.
    splits = [split for rows in folds for split in (rows.train, rows.validation)] + [folds[0].test]
    epsilon = f" {config.zca_epsilon}" if config.standardize == "zca" else ""
    digest = hashlib.sha256(f"{source.content} {config.standardize}{epsilon}".encode())
    for split in splits:
        digest.update(f" {len(split)} ".encode() + split.astype("<i8").tobytes())
    examples = Examples(*(len(split) for split in (*splits[:2], splits[-1])))
    return DataDescription(config.title, examples, n_features, source.n_classes, digest.hexdigest(), source.class_names)
