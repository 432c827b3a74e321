"""How a study's trials are run: as jobs by whatever Hydra launcher is configured, or as a stream through the slots of
worker processes, on this machine or on a Ray cluster."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ridgeline.checking import ConfigError, build, require
from ridgeline.lightning.alone import train_alone
from ridgeline.search.endings import Recorded
from ridgeline.search.plan import Plan

if TYPE_CHECKING:
    from ridgeline.config import Config
    from ridgeline.stack.workers import Workers

log = logging.getLogger(__name__)

INSTALL = "pip install 'ridgeline[ray]' (in a checkout: .venv/bin/python -m pip install -e '.[ray]')"

SLOTS = "slots"
"""User attribute of a study: how many workers it has, and how many slots each of them; set at its first start."""

CHECKPOINT = "trainer.ckpt_path"
STACK_LAUNCHER = "hydra_plugins.ridgeline.launcher.StackLauncher"


@dataclass(frozen=True)
class StackSettings:
    """Settings of the launcher `stack`.

    `workers`: processes; None for one a core or GPU. `stack_size`: trials that each trains as one; None for as many as
    fit its share of the cache. `address`: of a Ray cluster; None for one that is started on this machine alone.
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

    def count_workers(self, config: Config, *, gpu: bool) -> int:
        """How many: what was asked for, or as many as train at once, each on all the devices that a trial has."""
        if self.workers is None and gpu and config.trainer.names_devices:  # each trial trains on these
            return 1
        each, key = config.trainer.n_devices, "trainer.devices"
        there = self.count_devices(gpu=gpu) if self.workers is None else 0
        if self.address is not None and self.workers is None:
            require(there >= each, f"{key} <= {there}, which the cluster has,", key, each)
        return self.workers or max(1, there // each)

    def count_devices(self, *, gpu: bool) -> int:
        """Cores or GPUs, of this machine or of the cluster."""
        if self.address is not None:
            from ridgeline.stack.ray_cluster import count_devices

            self.connect()
            key = "hydra.launcher.address"
            require((n := count_devices(gpu=gpu)) > 0, "the cluster has a device for a trial", key, self.address)
            return n
        if gpu:
            return _count_gpus()
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def start(self, n: int, config: Config, *, gpu: bool) -> Workers:
        """Start `n` workers for trials like this one."""
        each = config.trainer.n_devices
        if self.backend == "ray":
            from ridgeline.stack.ray_pool import RayPool

            return RayPool(n, train_alone, self.address, gpu=gpu, each=each)
        from ridgeline.stack.pool import Pool

        shared = _count_gpus() if gpu and not config.trainer.names_devices else 0
        return Pool(n, train_alone, gpus=shared, each=each)


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def stack_settings(master: DictConfig) -> StackSettings | None:
    """The checked settings of the launcher `stack`; None if another launcher is configured."""
    settings = dict(master.hydra.launcher)
    if settings.pop("_target_") != STACK_LAUNCHER:
        return None
    built: StackSettings = build(StackSettings, settings, "hydra.launcher")
    return built


Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]
"""Runs jobs with these overrides, the first of which has this number."""


@dataclass(frozen=True)
class Launcher:
    """How a study's jobs are run: by `launch`, or as a stream with the settings `stack`."""

    launch: Launch
    stack: StackSettings | None
    master: DictConfig

    def can_stream(self, plan: Plan) -> bool:
        """Whether worker processes may train the study's trials; says why not, where that is no choice of the user."""
        if self.stack is None:
            return False
        goes_on = self.goes_on_with_one(plan)
        if goes_on:
            log.info(f"{CHECKPOINT} goes on with one training, which a stack cannot: trials run one by one.")
        return not goes_on

    def goes_on_with_one(self, plan: Plan) -> bool:
        """Whether a trial begins where another training was saved."""
        return plan.config.trainer.ckpt_path is not None or CHECKPOINT in (d.key for d in plan.line.space)


def make_launcher(context: HydraContext, task: TaskFunction, master: DictConfig) -> Launcher:
    """The configured launcher. What it and Hydra would print for each job is left out."""
    plugin = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=Recorded(task), config=master)
    stack, quiet = stack_settings(master), list[str]()
    if stack is not None and not getattr(task, "is_one_trial", False):
        log.info("The task is not marked with @one_trial, so workers cannot do what it does: trials run one by one.")
        stack = None
    if not master.hydra.verbose:  # the bar says how far it is; "Launching 1 jobs locally" 64 times would not
        for kind in type(plugin).__mro__:
            logging.getLogger(kind.__module__).setLevel(logging.WARNING)
        if OmegaConf.select(master, "hydra.job_logging.handlers.console"):
            quiet = ["++hydra.job_logging.handlers.console.level=WARNING"]  # the job's log file still gets all
    return Launcher(
        launch=lambda jobs, first: plugin.launch([[*job, *quiet] for job in jobs], initial_job_idx=first),
        stack=stack,
        master=master,
    )
