"""The train and the validation split as tensors on a device.

N examples, M of them, I features, F folds, K fits, B batch, C channels of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ridgeline.config import DataConfig
from ridgeline.data.array_splits import ArraySplit, DataDescription
from ridgeline.data.arrays import load_arrays
from ridgeline.data.lock import SplitLocked
from ridgeline.data.scaler import Scaler
from ridgeline.layout import Layout
from ridgeline.tasks.losses import Task


class Pixels(NamedTuple):
    """How bytes become features, (x - mean) / std: float32, the statistics of each fold's train split."""

    mean_FI: Tensor
    std_FI: Tensor


@dataclass(frozen=True)
class Split:
    """Features (N, I) float32 and targets (N,), labels int64 or in regression standardized, float32, on one device; of
    several folds, one fold after the other.

    Images may be kept as bytes, uint8, a quarter of the memory: `pixels` then says how these become features. So
    features are had from `batch_KBI` and its neighbours alone.

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
    pixels: Pixels | None = None

    @property
    def folds(self) -> int:
        """1 without folds."""
        return max(1, len(self.sizes))

    @property
    def n(self) -> int:
        """Rows of a fold."""
        return len(self.y_N) // self.folds

    @property
    def dtype(self) -> torch.dtype:
        """Of the features."""
        return self.x_NI.dtype if self.pixels is None else self.pixels.mean_FI.dtype

    def batch_KBI(self, positions_KB: Tensor) -> Tensor:
        """The features of these rows, a batch for each fit; fit k is of fold k modulo the folds."""
        # An embedding is a gather of rows, four times as fast as indexing.
        return self.standardized(F.embedding(positions_KB, self.x_NI))

    def piece_KBI(self, piece: slice, k: int) -> Tensor:
        """The features of these rows of the folds, which `k` fits have in turn: of one fold a view, no copy."""
        x_FBI = self.standardized(self.x_NI.unflatten(0, (self.folds, self.n))[:, piece])
        return x_FBI.expand(k // self.folds, *x_FBI.shape).flatten(0, 1)

    def features_MI(self, rows: slice | Tensor) -> Tensor:
        """The features of some rows; bytes are standardized as those of the first fold are."""
        return self.standardized(self.x_NI[rows])

    def standardized(self, x: Tensor) -> Tensor:
        """Bytes (K, B, I) or (M, I) as features; features as they are."""
        if self.pixels is None or x.is_floating_point():
            return x
        mean, std = self.pixels
        if x.ndim == 3 and self.folds > 1:
            mean, std = (own_FI.repeat(len(x) // self.folds, 1).unsqueeze(1) for own_FI in self.pixels)
        elif self.folds > 1:
            mean, std = mean[0], std[0]
        return x.to(mean.dtype).sub_(mean).div_(std)

    def least_FC(self, n_channels: int) -> Tensor:
        """The least value of each channel in each fold; of bytes the feature that 0 becomes."""
        if self.pixels is None:
            return self.x_NI.view(self.folds, self.n, n_channels, -1).amin(dim=(1, 3))
        least_FI = -self.pixels.mean_FI / self.pixels.std_FI
        return least_FI.unflatten(1, (n_channels, -1)).amin(dim=2)

    def to(self, device: str | torch.device) -> Split:
        w_N = None if self.w_N is None else self.w_N.to(device)
        pixels = None if self.pixels is None else Pixels(*(own_FI.to(device) for own_FI in self.pixels))
        return replace(self, x_NI=self.x_NI.to(device), y_N=self.y_N.to(device), w_N=w_N, pixels=pixels)

    def double(self) -> Split:
        """Features and numeric targets in float64, for what is held against a computation by hand."""
        x_NI = self.piece_KBI(slice(None), self.folds).flatten(0, 1).double()
        y_N = self.y_N.double() if self.y_N.is_floating_point() else self.y_N
        w_N = None if self.w_N is None else self.w_N.double()
        return replace(self, x_NI=x_NI, y_N=y_N, w_N=w_N, pixels=None)


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

    def own_units(self, x_MI: Tensor) -> Tensor:
        """Features in their own units, float32, of some rows of a split without folds; of bytes these."""
        if not x_MI.is_floating_point():
            return x_MI.float()
        return torch.from_numpy(self.scaler.undo(x_MI.cpu().numpy()))

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
    train, validation = (as_tensors(split, known.scalers) for split in (known.train, known.validation))
    return Splits(train, validation, known.scalers, known.n_classes, known.image_shape, known.description)


def as_tensors(split: ArraySplit, scalers: Sequence[Scaler]) -> Split:
    """On the CPU, in the arrays' own memory. `scalers`: of the folds."""
    w_N = None if split.w_N is None else torch.from_numpy(split.w_N)
    pixels = None
    if split.x_NI.dtype == np.uint8:
        own = ([scaler.mean_I for scaler in scalers], [scaler.std_I for scaler in scalers])
        pixels = Pixels(*(torch.from_numpy(np.stack(each)) for each in own))
    return Split(torch.from_numpy(split.x_NI), torch.from_numpy(split.y_N), split.sizes, w_N=w_N, pixels=pixels)
