"""`hydra/launcher=stack`, the default: a study's trials train as one model, in a worker process for each core.

The sweeper streams trials through it. What its workers cannot train, and any other sweeper's jobs, it runs one by one,
as Hydra's basic launcher does. Hydra imports this module at every start, so torch is imported only when it runs.
"""

from __future__ import annotations

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore

ConfigStore.instance().store(
    group="hydra/launcher",
    name="stack",
    node={
        "_target_": "hydra_plugins.ridgeline.launcher.StackLauncher",
        # processes with one thread each; null: one a core, or one for a GPU
        "workers": None,
        # trials trained as one in each of them; null: chosen by the cache and n_trials
        "stack_size": None,
        # where the processes run: local, or ray
        "backend": "local",
        # of ray: null for a cluster on this machine alone, auto for the one that runs here, or HOST:PORT
        "address": None,
    },
    provider="ridgeline",
)


class StackLauncher(BasicLauncher):
    """Hydra's basic launcher, whose settings `ridgeline.search.launching` reads."""

    def __init__(
        self,
        workers: int | None = None,
        stack_size: int | None = None,
        backend: str = "local",
        address: str | None = None,
    ) -> None:
        super().__init__()
