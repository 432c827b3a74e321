"""The author's own random numbers, of whichever of the three global generators: keyed by a fit's seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_all(key: int) -> None:
    """Of torch, `random` and NumPy."""
    torch.default_generator.manual_seed(key)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(key)
    random.seed(key)
    np.random.seed(key % 2**32)


@contextmanager
def restored() -> Iterator[None]:
    """On leaving, the process has the random numbers to come that it had before."""
    before = states()
    on_cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        random.setstate(before[1])
        np.random.set_state(before[2])
        if on_cuda is not None:
            torch.cuda.set_rng_state(on_cuda)


def states() -> tuple[torch.Tensor, Any, Any]:
    return torch.get_rng_state(), random.getstate(), np.random.get_state()


def are_equal(some: tuple[torch.Tensor, Any, Any], others: tuple[torch.Tensor, Any, Any]) -> bool:
    """Whether nothing was drawn between the two."""
    numpy_alike = all(np.array_equal(a, b) for a, b in zip(some[2], others[2], strict=True))
    return torch.equal(some[0], others[0]) and some[1] == others[1] and numpy_alike
