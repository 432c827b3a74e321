"""Studies in this process: the real configuration, sweeper, launcher, storages and MLflow, and a formula for a fit."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from ridgeline.command_line.composed import as_typed
from ridgeline.data import load_splits
from ridgeline.entry_points import ROOT, checked
from ridgeline.search import study
from ridgeline.search.plan import Plan, make_plan
from ridgeline.tracking import Tracker

Task = Callable[[DictConfig], Any]
OWN_COLUMNS = ("seconds", "run_id")
"""Of trials.csv: what differs from one start to the next."""


def formula(cfg: DictConfig) -> dict[str, Any]:
    """A job that leaves and returns what a trial does; lambda = 1e-4 without dropout is best."""
    config, folder = checked(cfg), Path(HydraConfig.get().runtime.output_dir)
    value = (math.log10(config.regularization.l2 + 1e-9) + 4) ** 2 + config.regularization.dropout_rates(1)[0]
    with Tracker(config) as tracker:
        run = tracker.start_trial(config, load_splits(config.data).description, folder)
        run.finish("COMPLETE")
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "history.csv").write_text("epoch,train/loss,val/loss\n0,2.0,1.5\n1,1.0,1.25\n")
    found = {"best_epoch": 1, "epochs": 2, "seconds": 0.1, "metrics": {"val/error": value / 100}}
    return {"value": value, "run_id": run.id, "job_dir": str(folder), **found}


def stopping(at: int, error: type[BaseException], task: Task = formula) -> Task:
    """The task, but job number `at` raises before it ends."""

    def stop(cfg: DictConfig) -> Any:
        result = task(cfg)
        if HydraConfig.get().job.num == at:
            raise error("stopped")
        return result

    return stop


class Studies:
    """One runs folder; the MLflow store may be shared, so that its tables are made once."""

    def __init__(self, runs: Path, store: Path) -> None:
        self.runs = runs
        self.fixed = [f"runs={runs}", f"tracking.uri=sqlite:///{store}", f"tracking.experiment={runs.name}"]
        self.fixed += ["trainer.enable_progress_bar=false", "hydra/job_logging=none", "hydra/hydra_logging=none"]

    def plan(self, *arguments: str) -> Plan:
        """What `run` would do; raises its ConfigError."""
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            context, master = self._compose(arguments)
            typed = as_typed(master.hydra.overrides.task)
            return make_plan(context, master, typed, study.written_out(master, typed))

    def run(self, *arguments: str, task: Task = formula) -> Path:
        """The command `train.py -m ...`; the study's folder."""
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            context, master = self._compose(arguments)
            study.run(context, task, master, as_typed(master.hydra.overrides.task))
            return Path(master.hydra.sweep.dir)

    def _compose(self, arguments: tuple[str, ...]) -> tuple[HydraContext, DictConfig]:
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        overrides = ["tracking.keep_weights=0", *arguments, *self.fixed]
        master = hydra.compose_config("config", overrides, RunMode.MULTIRUN, with_log_configuration=False)
        return HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks()), master

    def folders(self) -> list[Path]:
        return sorted(self.runs.glob("studies/*"))


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of trials.csv."""
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def results(folder: Path, *, without: tuple[str, ...] = OWN_COLUMNS) -> list[dict[str, str]]:
    """The rows of the trials that count, without what differs from start to start."""
    rows = [row for row in table(folder) if row["state"] != "INTERRUPTED"]
    return [{name: value for name, value in row.items() if name not in without} for row in rows]
