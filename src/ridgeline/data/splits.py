"""The train and the validation part as tensors on a device. N examples, I features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NoReturn

import torch
from torch import Tensor

from ridgeline.config import DataConfig
from ridgeline.data.arrays import DataDescription, PartArrays, load_arrays
from ridgeline.data.scaling import Scaling


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
    known = load_arrays(config)
    train, validation = as_tensors(known.train), as_tensors(known.validation)
    return Splits(train, validation, known.scalings, known.n_classes, known.image_shape, known.description)


def as_tensors(part: PartArrays) -> Part:
    """On the CPU, in the arrays' own memory."""
    return Part(torch.from_numpy(part.x_NI), torch.from_numpy(part.y_N), part.sizes)
