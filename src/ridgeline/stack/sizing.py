"""How many fits to train as one: as many as share the cache, beyond which a stack gains nothing more."""

from __future__ import annotations

from itertools import pairwise

from ridgeline.config import Config
from ridgeline.data import load_splits

WORKING_SET = 64 * 2**20
"""Bytes. About what measured best on CPUs with 16 to 32 MiB of last-level cache: a step touches it in turns."""

LARGEST = 32


def fitting_stack_size(config: Config) -> int:
    """Between 4 and 32, by the bytes that a step of one fit touches."""
    splits = load_splits(config.data)
    sizes = [splits.n_features, *config.network.hidden, splits.n_classes]
    parameters = sum(i * o + o for i, o in pairwise(sizes))
    batch = config.trainer.batch_size or len(splits.train.y_N)
    of_fit = 4 * (4 * parameters + 4 * batch * sum(sizes))  # value, gradient, two moments; what layers keep
    return max(4, min(LARGEST, WORKING_SET // of_fit))
