"""Every `--multirun` is a study: Hydra's sweeper, a thin way into `ridgeline.search`.

Hydra imports this module at every start, for `--help` too, so what the study needs is imported when it runs.
"""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

# No settings here: the sweeper reads the group `search`, which DVC can set too.
SETTINGS = {"_target_": "hydra_plugins.ridgeline.sweeper.RidgelineSweeper"}
ConfigStore.instance().store(group="hydra/sweeper", name="ridgeline", node=SETTINGS, provider="ridgeline")


class RidgelineSweeper(Sweeper):
    """Runs the study that the configuration's `search` and the command line describe.

    What a file says to Hydra's Optuna plugin is read by `ridgeline.search.optuna_plugin`, not here.
    """

    def __init__(self, **said: Any) -> None:
        super().__init__()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        from ridgeline.search import study

        try:
            study.run(*self.given, arguments)
        except study.StudyStopped as stopped:
            print(stopped, file=sys.stderr)
            raise SystemExit(stopped.code) from None
