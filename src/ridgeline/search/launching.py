"""How a study's jobs are run: by whatever Hydra launcher is configured, or as a stream through the stack's slots."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ridgeline.knobs import is_knob
from ridgeline.search.job import Recorded
from ridgeline.search.plan import Plan

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StackSettings:
    """Of the launcher `stack`; None: as many workers as the machine has cores, as many fits as fit its cache."""

    workers: int | None = None
    stack_size: int | None = None


@dataclass(frozen=True)
class Launcher:
    """`launch` runs jobs with these overrides, the first of which has this number. `stack`: what streams, if any."""

    launch: Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]
    stack: StackSettings | None
    master: DictConfig

    def can_stream(self, plan: Plan) -> bool:
        """Whether all trials of the study can share a stack; says why if they cannot."""
        if self.stack is None:
            return False
        structural = [d.key for d in plan.line.space if not is_knob(d.key)]
        if structural:
            log.info(f"{', '.join(structural)} changes the network or the training: such trials train one by one.")
        return not structural

    def batch(self, plan: Plan) -> int:
        """How many jobs the launcher gets at once."""
        return plan.config.search.n_jobs


def make_launcher(context: HydraContext, task: TaskFunction, master: DictConfig) -> Launcher:
    """The configured launcher, without the words that it and its jobs have for each job."""
    plugin = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=Recorded(task), config=master)
    quiet: list[str] = []
    if not master.hydra.verbose:  # the bar says how far it is; "Launching 1 jobs locally" 64 times would not
        for kind in type(plugin).__mro__:
            logging.getLogger(kind.__module__).setLevel(logging.WARNING)
        if OmegaConf.select(master, "hydra.job_logging.handlers.console"):
            quiet = ["++hydra.job_logging.handlers.console.level=WARNING"]  # the job's log file still gets all
    return Launcher(
        launch=lambda jobs, first: plugin.launch([[*job, *quiet] for job in jobs], initial_job_idx=first),
        stack=getattr(plugin, "stack", None) if getattr(task, "is_one_trial", False) else None,
        master=master,
    )
