"""The train and the validation split as NumPy arrays, and what the data set is: all that is known before torch is
there.

N examples, I features, F folds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ridgeline.checking import require
from ridgeline.config import DataConfig
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.rows import RowNumbers
from ridgeline.data.scaler import Scaler, scaler_of
from ridgeline.data.source import Source
from ridgeline.data.sources import read_source
from ridgeline.tasks.losses import Task


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
    """Standardized features (N, I) float32 and targets (N,): labels int64, or in regression standardized, float32.

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
    """What a search may see. The test split is counted in the description, and is nowhere in here."""

    train: ArraySplit
    validation: ArraySplit
    scalers: tuple[Scaler, ...]
    n_classes: int
    image_shape: tuple[int, int] | None
    description: DataDescription


@lru_cache(maxsize=4)
def load_arrays(config: DataConfig) -> ArraySplits:
    """The data set, read once per process. Raises ConfigError, one line, for bad files or splits.

    The arrays are shared by all who ask: do not write into them.
    """
    source = read_source(config)
    folds = fold_rows(source, config)
    seen = [split for rows in folds for split in (rows.train, rows.validation)]
    known = np.unique(np.concatenate(seen)) if len(folds) > 1 else None
    scalers = tuple(scaler_of(source, rows.train, config, known) for rows in folds)
    train = _joined([take_rows(source, rows.train, own) for rows, own in zip(folds, scalers, strict=True)])
    validation = _joined([take_rows(source, rows.validation, own) for rows, own in zip(folds, scalers, strict=True)])
    described = _describe(source, folds, config, train.x_NI.shape[1])
    return ArraySplits(train, validation, scalers, source.n_classes, source.image_shape, described)


def describe(config: DataConfig) -> DataDescription:
    """What the data set is. Raises ConfigError as `load_arrays` does."""
    return load_arrays(config).description


def check_again(config: DataConfig) -> None:
    """Raise ConfigError where a function of the user's own gives other examples when it is called again: each process
    of a study calls it, and so does whoever confirms the study."""
    if config.source is not None:
        require_same(load_arrays.__wrapped__(config).description, describe(config).hash)


def require_same(found: DataDescription, known: str | None) -> None:
    """Raise ConfigError where the data are others than those of this hash, which were read before."""
    if known is not None:
        rule = f"{found.name} gives the same examples at each call (drawn with a seed)"
        require(found.hash == known, rule, "their hash", f"{known[:12]} and {found.hash[:12]}")


def take_rows(source: Source, rows: np.ndarray, scaler: Scaler) -> ArraySplit:
    """The standardized examples of `rows`: copies, so that a split's storage holds no other row."""
    x_NI, y_N = scaler.apply(source.features(rows)), scaler.apply_to_targets(source.y_N[rows])
    return ArraySplit(x_NI, y_N, w_N=None if source.weights_N is None else _mean_1(source.weights_N[rows]))


def _mean_1(weights_N: np.ndarray) -> np.ndarray:
    """In these units a mean over the split is one of weight * value."""
    rule = "each split holds an example with a data.weight above 0"
    require(bool(weights_N.any()), rule, "data.weight", f"0 in all {len(weights_N)} examples of one")
    own_N: np.ndarray = (weights_N / weights_N.mean()).astype(np.float32)
    return own_N


def _joined(splits: Sequence[ArraySplit]) -> ArraySplit:
    """The folds of a split as one; those that have fewer examples repeat their first ones."""
    if len(splits) == 1:
        return splits[0]
    sizes = tuple(len(split.y_N) for split in splits)
    missing = [max(sizes) - size for size in sizes]
    rows = [np.resize(np.arange(size), size + n) for size, n in zip(sizes, missing, strict=True)]
    x_NI = np.concatenate([split.x_NI[own] for split, own in zip(splits, rows, strict=True)])
    y_N = np.concatenate([split.y_N[own] for split, own in zip(splits, rows, strict=True)])
    weights = [None if split.w_N is None else split.w_N[own] for split, own in zip(splits, rows, strict=True)]
    known = [own for own in weights if own is not None]
    return ArraySplit(x_NI, y_N, sizes, np.concatenate(known) if known else None)


def _describe(source: Source, folds: Sequence[RowNumbers], config: DataConfig, n_features: int) -> DataDescription:
    # The row numbers themselves rather than the settings: another version of a library might shuffle otherwise.
    splits = [split for rows in folds for split in (rows.train, rows.validation)] + [folds[0].test]
    epsilon = f" {config.zca_epsilon}" if config.standardize == "zca" else ""
    digest = hashlib.sha256(f"{source.content} {config.standardize}{epsilon}".encode())
    for split in splits:
        digest.update(f" {len(split)} ".encode() + split.astype("<i8").tobytes())
    examples = Examples(*(len(split) for split in (*splits[:2], splits[-1])))
    return DataDescription(config.title, examples, n_features, source.n_classes, digest.hexdigest(), source.class_names)
