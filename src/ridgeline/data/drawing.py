"""What the user's code draws at random comes from the global generators, which are lent to it with a seed."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def drawing_with(seed: int) -> Iterator[None]:
    """Inside, the global generators begin with this seed; afterwards they go on as if nothing had been."""
    import torch

    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    seed_generators(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def seed_generators(seed: int) -> None:
    """Those of torch on the CPU, of NumPy and of Python."""
    import torch

    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
