"""Where a study's workers run: on this machine, or on a Ray cluster."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ridgeline.checking import ConfigError, require

if TYPE_CHECKING:
    from ridgeline.stack.workers import Workers

INSTALL = "pip install 'ridgeline[ray]' (in a checkout: .venv/bin/python -m pip install -e '.[ray]')"

SLOTS = "slots"
"""User attribute of a study: its workers and the slots of each, from its first start on."""


@dataclass(frozen=True)
class StackSettings:
    """Of the launcher `stack`; None: as many workers as there are cores or GPUs, as many trials as fit the cache.

    `address`: of a Ray cluster; None: one on this machine alone.
    """

    workers: int | None = None
    stack_size: int | None = None
    backend: Literal["local", "ray"] = "local"
    address: str | None = None

    def check(self) -> None:
        for name, value in (("workers", self.workers), ("stack_size", self.stack_size)):
            require(
                value is None or value >= 1, f"hydra.launcher.{name} >= 1 (or null)", f"hydra.launcher.{name}", value
            )
        rule = "hydra.launcher.backend=ray where an address is given"
        require(self.address is None or self.backend == "ray", rule, "hydra.launcher.address", self.address)
        if self.backend == "ray" and importlib.util.find_spec("ray") is None:
            raise ConfigError(f"`ray is installed` must hold for hydra.launcher.backend=ray: {INSTALL}.")

    def connect(self) -> None:
        """Raise ConfigError unless the cluster at `address` answers."""
        if self.address is not None:
            from ridgeline.stack.ray_cluster import connect

            connect(self.address)

    def count_devices(self, *, gpu: bool) -> int:
        """How many workers there can be."""
        if self.address is not None:
            from ridgeline.stack.ray_cluster import count_devices

            self.connect()
            key = "hydra.launcher.address"
            require((n := count_devices(gpu=gpu)) > 0, "the cluster has a device for a trial", key, self.address)
            return n
        if gpu:
            import torch

            return torch.cuda.device_count() if self.backend == "ray" else 1
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def start(self, n: int, *, gpu: bool) -> Workers:
        if self.backend == "ray":
            from ridgeline.stack.ray_pool import RayPool

            return RayPool(n, self.address, gpu=gpu)
        from ridgeline.stack.pool import Pool

        return Pool(n)
