"""The train and the validation split as tensors on a device. N examples, I features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NoReturn

import torch
from torch import Tensor

from ridgeline.config import DataConfig
from ridgeline.data.array_splits import ArraySplit, DataDescription
from ridgeline.data.arrays import load_arrays
from ridgeline.data.scaler import Scaler
from ridgeline.layout import Layout
from ridgeline.tasks.losses import Task


@dataclass(frozen=True)
class Split:
    """Features (N, I) float32 and targets (N,), labels int64 or in regression standardized, float32, on one device; of
    several folds, one fold after the other.

    `sizes`: how many examples each fold has, where there are folds. All take as many rows as the largest, so that the
    last rows of one that has fewer are only there to fill up. `groups_N`: the number of the group that each
    example is in, of the test split alone, for the sake of the verdict. `w_N`: how much each counts, float32, 1
    in the mean over the split, or over each fold. None: they are in no groups; they count alike.
    """

    x_NI: Tensor
    y_N: Tensor
    sizes: tuple[int, ...] = ()
    groups_N: Tensor | None = None
    w_N: Tensor | None = None

    @property
    def folds(self) -> int:
        """1 without folds."""
        return max(1, len(self.sizes))

    @property
    def n(self) -> int:
        """Rows of a fold."""
        return len(self.y_N) // self.folds

    def to(self, device: str | torch.device) -> Split:
        w_N = None if self.w_N is None else self.w_N.to(device)
        return replace(self, x_NI=self.x_NI.to(device), y_N=self.y_N.to(device), w_N=w_N)

    def double(self) -> Split:
        """Features and numeric targets in float64, for what is held against a computation by hand."""
        y_N = self.y_N.double() if self.y_N.is_floating_point() else self.y_N
        return replace(self, x_NI=self.x_NI.double(), y_N=y_N, w_N=None if self.w_N is None else self.w_N.double())


class SplitLocked(RuntimeError):
    """The test split was asked for by another entry point than those that confirm."""

    def __init__(self) -> None:
        super().__init__("The test split is locked: pipelines/confirm.py and pipelines/case_study.py alone open it.")


@dataclass(frozen=True)
class Splits:
    """What a search may see. The test split is counted in the description, and is nowhere in here.

    `scalers`: what made the features of the splits, the test split's too, from those of the source; one for each fold.
    """

    train: Split
    validation: Split
    scalers: tuple[Scaler, ...]
    n_classes: int
    image_shape: tuple[int, int, int] | None
    description: DataDescription

    @property
    def task(self) -> Task:
        return self.description.task

    @property
    def n_outputs(self) -> int:
        """What a network has for each example: a number for each class, or one in regression."""
        return self.description.n_outputs

    @property
    def n_features(self) -> int:
        return self.train.x_NI.shape[1]

    @property
    def layout(self) -> Layout | None:
        """What each input is, where the examples are rows of a table; of several folds, in the first."""
        encoder = self.scalers[0].encoder
        return None if encoder is None else encoder.layout

    @property
    def folds(self) -> int:
        """Fits that a trial consists of: 1 without folds."""
        return self.train.folds

    @property
    def scaler(self) -> Scaler:
        """The scaler of data without folds."""
        (scaler,) = self.scalers
        return scaler

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
    known = load_arrays(config)
    train, validation = as_tensors(known.train), as_tensors(known.validation)
    return Splits(train, validation, known.scalers, known.n_classes, known.image_shape, known.description)


def as_tensors(split: ArraySplit) -> Split:
    """On the CPU, in the arrays' own memory."""
    w_N = None if split.w_N is None else torch.from_numpy(split.w_N)
    return Split(torch.from_numpy(split.x_NI), torch.from_numpy(split.y_N), split.sizes, w_N=w_N)
