"""What this machine has, as far as it can be told without torch."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ridgeline.checking import require
from ridgeline.config import Config

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
KEPT = 3
"""What every training keeps of each parameter, at least: its value, its gradient and its best value."""


def machine_memory() -> int:
    """Bytes of the machine, or what a container may take of it."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # `max` is no number
        total = min(total, int(CGROUP_LIMIT.read_text()))
    return total


def check_processors(config: Config) -> None:
    """Raise ConfigError for more threads than there are processors."""
    processors, threads = os.cpu_count() or 1, config.trainer.num_threads
    rule = f"trainer.num_threads <= {processors}, the processors of this machine,"
    require((threads or 1) <= processors, rule, "trainer.num_threads", threads)


def check_memory(config: Config, n_features: int, n_outputs: int, n_examples: int) -> None:
    """Raise ConfigError for a network that cannot fit into the memory.

    One that is not refused may need more than there is all the same: that shows when it trains.
    """
    if config.trainer.accelerator == "cuda":  # whose memory torch knows
        return
    memory, batch = machine_memory(), min(config.trainer.batch_size or n_examples, n_examples)
    least = config.network.least_bytes(n_features, n_outputs, batch, KEPT)
    rule = f"a fit needs less than the {memory / 2**30:.1f} GiB of this machine, and not {least / 2**30:,.1f} GiB,"
    require(least < memory, rule, "network.hidden", list(config.network.hidden))
