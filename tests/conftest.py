"""One thread a worker, as the stack's workers have: then a fit's bits do not depend on how a product is divided."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from ridgeline.data import Split, Splits, load_splits
from settings import small

torch.set_num_threads(1)
if "RIDGELINE_CACHE" not in os.environ:  # the user's own stays as it is
    os.environ["RIDGELINE_CACHE"] = tempfile.mkdtemp(prefix="ridgeline_cache_")
    atexit.register(shutil.rmtree, os.environ["RIDGELINE_CACHE"], ignore_errors=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal: xdist's processes ignore it


@pytest.fixture(autouse=True)
def seeds() -> None:
    """What a test draws is the same each time, whichever tests ran before."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="module")
def nobodys_store() -> Iterator[None]:
    """MLflow's global store, which a test may set as a user would, is not that of the next file's tests."""
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)  # out of the environment too, from which commands read it


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
