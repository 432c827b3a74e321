"""How long many fits will take, said before they begin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import torch

from ridgeline import Config, load_splits, pick_device

SHARE = 0.5
"""The share of the rate of its matrix products alone that training reaches with wide layers (docs/speed.md)."""

PRODUCTS = 3
"""A training step has so many products of a layer: forward, and two backward."""


def expected_seconds(configs: Sequence[Config], workers: int) -> float:
    """A rough estimate of the wall time, from the rate of matrix products, as if no fit stopped early."""
    work = sum(_multiplications(config) for config in configs)
    return work / (SHARE * _rate(configs[0]) * workers) if configs else 0.0


def _multiplications(config: Config) -> float:
    splits = load_splits(config.data)
    sizes = [splits.n_features, *config.network.hidden, splits.n_classes]
    examples = PRODUCTS * len(splits.train.y_N) + len(splits.validation.y_N)
    return float(config.trainer.max_epochs * examples * sum(i * o for i, o in pairwise(sizes)))


def _rate(config: Config, seconds: float = 0.3) -> float:
    """Multiplications a second of one worker, in products as large as those of a step."""
    device, threads = pick_device(config), torch.get_num_threads()
    torch.set_num_threads(1)  # as workers have it
    width = max([*config.network.hidden, 16])
    batch = config.trainer.batch_size or len(load_splits(config.data).train.y_N)
    a, b = torch.randn(2, batch, width, device=device), torch.randn(2, width, width, device=device)
    torch.bmm(a, b)
    started, done = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        for _ in range(10):
            c = torch.bmm(a, b)
        c.sum().item()  # waits for a GPU
        done += 10
    spent = time.monotonic() - started
    torch.set_num_threads(threads)
    return done * 2 * batch * width * width / spent
