"""The train and the validation part as tensors, and what the data set is. N examples, I features, F folds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

from ridgeline.config import DataConfig
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.rows import Rows
from ridgeline.data.scaling import Scaling, fit_scaling
from ridgeline.data.sources import Source, read_source


@dataclass(frozen=True)
class Part:
    """Features (N, I) float32 and labels (N,) int64, on one device; of several folds, one fold after the other.

    `sizes`: how many examples each fold has, where there are folds. All take as many rows as the largest, so that the
    last row of one that has an example less is only there to fill up.
    """

    x_NI: Tensor
    y_N: Tensor
    sizes: tuple[int, ...] = ()

    @property
    def folds(self) -> int:
        """1 without folds."""
        return max(1, len(self.sizes))

    @property
    def n(self) -> int:
        """Rows of a fold."""
        return len(self.y_N) // self.folds

    def to(self, device: str | torch.device) -> Part:
        return replace(self, x_NI=self.x_NI.to(device), y_N=self.y_N.to(device))

    def double(self) -> Part:
        """Features in float64, for what is held against a computation by hand."""
        return replace(self, x_NI=self.x_NI.double())


class Examples(NamedTuple):
    """How many examples each part has; with folds, those of the first."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class DataDescription:
    """What is logged with every run. `hash`: SHA-256 over the contents read, the split and the standardization, as hex.

    Equal hashes mean equal tensors, whatever folder, compression or mirror the data came from.
    """

    name: str
    examples: Examples
    features: int
    classes: int
    hash: str


class SplitLocked(RuntimeError):
    """Somebody else than the doors that confirm wants the test part."""

    def __init__(self) -> None:
        super().__init__("The test part is locked: pipelines/confirm.py and pipelines/case_study.py alone open it.")


@dataclass(frozen=True)
class Splits:
    """What a search may see. The test part is counted in the description, and is nowhere in here.

    `scalings`: what made the features of both parts, and of the test part, from those of the source; one for each fold.
    """

    train: Part
    validation: Part
    scalings: tuple[Scaling, ...]
    n_classes: int
    image_shape: tuple[int, int] | None
    description: DataDescription

    @property
    def n_features(self) -> int:
        return self.train.x_NI.shape[1]

    @property
    def folds(self) -> int:
        """Fits that a trial consists of: 1 without folds."""
        return self.train.folds

    @property
    def scaling(self) -> Scaling:
        """That of a split without folds."""
        (scaling,) = self.scalings
        return scaling

    @property
    def test(self) -> NoReturn:
        """Raises SplitLocked."""
        raise SplitLocked


def load_splits(config: DataConfig, device: str | torch.device = "cpu") -> Splits:
    """The data set on `device`, read once per process. Raises ConfigError, one line, for bad files or splits.

    The tensors are shared by all who ask: do not write into them.
    """
    return _load(config, str(device))


@lru_cache(maxsize=4)
def _load(config: DataConfig, device: str) -> Splits:
    if device != "cpu":
        on_cpu = _load(config, "cpu")
        train, validation = on_cpu.train.to(device), on_cpu.validation.to(device)
        return replace(on_cpu, train=train, validation=validation)
    source = read_source(config)
    folds = fold_rows(source, config)
    scalings = tuple(fit_scaling(source.x_NI[rows.train], config) for rows in folds)
    train = _joined([take_part(source, rows.train, own) for rows, own in zip(folds, scalings, strict=True)])
    validation = _joined([take_part(source, rows.validation, own) for rows, own in zip(folds, scalings, strict=True)])
    return Splits(train, validation, scalings, source.n_classes, source.image_shape, _describe(source, folds, config))


def take_part(source: Source, rows: np.ndarray, scaling: Scaling) -> Part:
    """The standardized examples of `rows`: copies, so that a part's storage holds no other row."""
    return Part(torch.from_numpy(scaling.apply(source.x_NI[rows])), torch.from_numpy(source.y_N[rows]))


def _joined(parts: Sequence[Part]) -> Part:
    """The folds of a part as one."""
    if len(parts) == 1:
        return parts[0]
    sizes = tuple(len(part.y_N) for part in parts)
    missing = [max(sizes) - size for size in sizes]
    x_NI = torch.cat([torch.cat([part.x_NI, part.x_NI[:n]]) for part, n in zip(parts, missing, strict=True)])
    y_N = torch.cat([torch.cat([part.y_N, part.y_N[:n]]) for part, n in zip(parts, missing, strict=True)])
    return Part(x_NI, y_N, sizes)


def _describe(source: Source, folds: Sequence[Rows], config: DataConfig) -> DataDescription:
    # The row numbers themselves rather than the settings: another version of a library might shuffle otherwise.
    parts = [part for rows in folds for part in (rows.train, rows.validation)] + [folds[0].test]
    epsilon = f" {config.zca_epsilon}" if config.standardize == "zca" else ""
    digest = hashlib.sha256(f"{source.content} {config.standardize}{epsilon}".encode())
    for part in parts:
        digest.update(f" {len(part)} ".encode() + part.astype("<i8").tobytes())
    examples = Examples(*(len(part) for part in (*parts[:2], parts[-1])))
    return DataDescription(config.name, examples, source.x_NI.shape[1], source.n_classes, digest.hexdigest())
