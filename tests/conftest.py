"""One thread a worker, as the stack's workers have: then a fit's bits do not depend on how a product is divided."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from ridgeline.data import Split, Splits, load_splits
from settings import small

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal: xdist's processes ignore it


@pytest.fixture(scope="session")
def digits() -> Splits:
    return load_splits(small().data)


@pytest.fixture(scope="session")
def digits64(digits: Splits) -> Splits:
    """In float64."""

    def double(split: Split) -> Split:
        return Split(split.x_NI.double(), split.y_N)

    return replace(digits, train=double(digits.train), validation=double(digits.validation))


@pytest.fixture(scope="session")
def shrink() -> Callable[[Splits, int], Splits]:
    """The first so many training examples."""

    def shrink(splits: Splits, n: int) -> Splits:
        return replace(splits, train=Split(splits.train.x_NI[:n], splits.train.y_N[:n]))

    return shrink
