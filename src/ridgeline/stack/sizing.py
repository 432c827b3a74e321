"""How many trials to train as one: on a CPU as share the cache, on a GPU, which waits for launches, many more."""

from __future__ import annotations

import contextlib
import functools
import math
from pathlib import Path

import torch

from ridgeline.config import Config
from ridgeline.data import Splits, load_splits
from ridgeline.processes import ask
from ridgeline.stack.device import pick_device, total_memory
from ridgeline.stack.evaluation import EVALUATION_BATCH
from ridgeline.stack.networks import EXAMPLES, known_network, shape_of

MIB = 2**20
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")

SMALLEST, LARGEST, LARGEST_ON_GPU = 2, 32, 256
LEAST_CACHE, MOST_CACHE = 16 * MIB, 32 * MIB
"""Of a core. The optimum is flat, and a stack too small for its operations' overhead loses more than one too large."""

SHARE = 4
"""All stacks together take one part in so many of the memory; the estimate is rough, and other programs live too."""


def fitting_stack_size(config: Config, workers: int) -> int:
    """Trials in a stack of each of so many workers, from the machine's caches and its total memory, which are the same
    at each start. With folds a trial is as many fits. A trial that trains alone is a stack of one."""
    if config.trains_alone:
        return 1
    splits, device = load_splits(config.data), pick_device(config)
    fitting_memory = _memory(device) // SHARE // workers // _bytes_held(config, splits, device)
    if device.type == "cuda":
        return max(1, min(LARGEST_ON_GPU, fitting_memory) // splits.folds)
    fitting_cache = core_cache() / _bytes_touched(config, splits)
    power_of_two = 2 ** round(math.log2(fitting_cache))
    return max(1, min(max(SMALLEST, min(LARGEST, power_of_two)), fitting_memory) // splits.folds)


def core_cache() -> int:
    """Bytes: a core's share of the second and third level, within bounds, for virtual machines report fables."""
    share = 0
    for index in CACHES.glob("index*"):  # Linux; elsewhere there is none, and the lower bound holds
        with contextlib.suppress(OSError, ValueError):
            level, size, sharers = ((index / name).read_text().strip() for name in ("level", "size", "shared_cpu_list"))
            share += int(size.removesuffix("K")) * 2**10 // _count(sharers) if int(level) > 1 else 0
    return max(LEAST_CACHE, min(MOST_CACHE, share))


def _memory(device: torch.device) -> int:
    return total_memory(device) if device.type == "cpu" else _memory_of_gpu(device)


@functools.cache
def _memory_of_gpu(device: torch.device) -> int:
    return ask(total_memory, device)


def _bytes_touched(config: Config, splits: Splits) -> int:
    """By a training step of one fit: value, gradient and two moments; what layers keep."""
    values, parameters = _sizes(config, splits)
    return 4 * (4 * parameters + 4 * _batch(config, splits) * values)


def _bytes_held(config: Config, splits: Splits, device: torch.device) -> int:
    """By one fit at most: the gradient before it is copied and the best weights too, and an evaluation's layers, which
    on a GPU have a share of their own of the memory."""
    values, parameters = _sizes(config, splits)
    most = EVALUATION_BATCH if device.type == "cpu" else 0
    evaluated = min(most, max(splits.train.n, splits.validation.n))
    return 4 * (6 * parameters + max(4 * _batch(config, splits), 2 * evaluated) * values)


def _sizes(config: Config, splits: Splits) -> tuple[int, int]:
    """Values of an example in all layers, and parameters."""
    found = known_network(config.network, splits.train.features_MI(slice(EXAMPLES)), shape_of(splits)).survey
    return found.n_values, found.n_parameters


def _batch(config: Config, splits: Splits) -> int:
    n = splits.train.n
    return min(config.trainer.batch_size or n, n)


def _count(cpus: str) -> int:
    """Of a list as Linux writes it: 0-3,8."""
    ends = [[int(end) for end in part.split("-")] for part in cpus.split(",")]
    return sum(end[-1] - end[0] + 1 for end in ends)
