"""The train and the validation part as tensors, and what the data set is. N examples, I features."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

from ridgeline.config import DataConfig
from ridgeline.data.rows import Rows, split_rows
from ridgeline.data.scaling import Scaling, fit_scaling
from ridgeline.data.sources import Source, read_source


@dataclass(frozen=True)
class Part:
    """Features (N, I) float32 and labels (N,) int64, on one device."""

    x_NI: Tensor
    y_N: Tensor

    def to(self, device: str | torch.device) -> Part:
        return Part(self.x_NI.to(device), self.y_N.to(device))

    def double(self) -> Part:
        """Features in float64, for what is held against a computation by hand."""
        return Part(self.x_NI.double(), self.y_N)


class Examples(NamedTuple):
    """How many examples each part has."""

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
    """Somebody else than pipelines/confirm.py wants the test part."""

    def __init__(self) -> None:
        super().__init__("The test part is locked: pipelines/confirm.py alone opens it.")


@dataclass(frozen=True)
class Splits:
    """What a search may see. The test part is counted in the description, and is nowhere in here.

    `scaling` is what made the features of all parts from those of the source.
    """

    train: Part
    validation: Part
    scaling: Scaling
    n_classes: int
    image_shape: tuple[int, int] | None
    description: DataDescription

    @property
    def n_features(self) -> int:
        return self.train.x_NI.shape[1]

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
    rows = split_rows(source, config)
    scaling = fit_scaling(source.x_NI[rows.train], config)
    train, validation = (take_part(source, part, scaling) for part in (rows.train, rows.validation))
    return Splits(train, validation, scaling, source.n_classes, source.image_shape, _describe(source, rows, config))


def take_part(source: Source, rows: np.ndarray, scaling: Scaling) -> Part:
    """The standardized examples of `rows`: copies, so that a part's storage holds no other row."""
    return Part(torch.from_numpy(scaling.apply(source.x_NI[rows])), torch.from_numpy(source.y_N[rows]))


def _describe(source: Source, rows: Rows, config: DataConfig) -> DataDescription:
    # The row numbers themselves rather than the settings: another version of a library might shuffle otherwise.
    parts = (rows.train, rows.validation, rows.test)
    epsilon = f" {config.zca_epsilon}" if config.standardize == "zca" else ""
    digest = hashlib.sha256(f"{source.content} {config.standardize}{epsilon}".encode())
    for part in parts:
        digest.update(f" {len(part)} ".encode() + part.astype("<i8").tobytes())
    examples = Examples(*(len(part) for part in parts))
    return DataDescription(config.name, examples, source.x_NI.shape[1], source.n_classes, digest.hexdigest())
