"""How a study's jobs are run: by whatever Hydra launcher is configured, or as a stream through the stack's slots."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ridgeline.checking import build
from ridgeline.search.backends import StackSettings
from ridgeline.search.endings import Recorded
from ridgeline.search.plan import Plan

log = logging.getLogger(__name__)

CHECKPOINT = "trainer.ckpt_path"
STACK_LAUNCHER = "hydra_plugins.ridgeline.launcher.StackLauncher"


def stack_settings(master: DictConfig) -> StackSettings | None:
    """Those of the configured launcher, checked; None if it is not the stack."""
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
    """The configured launcher, without the words that it and its jobs have for each job."""
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
