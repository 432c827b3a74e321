"""Studies in this process, by Hydra's own machinery, with one pool of workers for all: start-up is paid once.

What is real: configuration, sweeper, loop, sampler, pruner, stream, workers, Optuna's journal, MLflow's store. What is
not: a study does not start its workers, begins with a copy of an MLflow store that is already made, and draws nothing.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from ridgeline.entry_points import ROOT, one_trial
from ridgeline.lightning.alone import train_alone
from ridgeline.search.ask_tell import AskTell
from ridgeline.search.launching import StackSettings
from ridgeline.search.plan import Plan
from ridgeline.search.records import Records
from ridgeline.stack.pool import Pool
from rivals.crew import cores
from rivals.files import make_store


@dataclass(frozen=True)
class Ended:
    """A study: its plan, its trials in the order in which they ended, CPU milliseconds of each ask."""

    plan: Plan
    trials: list[FrozenTrial]
    ask_ms: list[float]

    @property
    def seconds(self) -> list[float]:
        """From the first trial's start to each trial's end."""
        return seconds_of(self.trials)


def seconds_of(trials: Sequence[FrozenTrial]) -> list[float]:
    """From the first trial's start to each trial's end, by Optuna's clock."""
    start = min(t.datetime_start for t in trials if t.datetime_start is not None)
    return [(t.datetime_complete - start).total_seconds() for t in trials if t.datetime_complete is not None]


def read_trials(folder: Path) -> list[FrozenTrial]:
    """Of the one study below a folder, in the order in which they ended; those that were cut off are left out."""
    (path,) = folder.rglob("journal.log")
    storage = JournalStorage(JournalFileBackend(str(path)))
    (study,) = storage.get_all_studies()
    ended = [t for t in storage.get_all_trials(study._study_id) if t.datetime_complete is not None]
    return sorted(ended, key=lambda t: (t.datetime_complete, t.number))


def best_so_far(trials: Sequence[FrozenTrial]) -> list[float | None]:
    """After each trial's end; None until one is complete: a pruned trial has no value."""
    best, curve = math.inf, list[float | None]()
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            best = min(best, trial.value)
        curve.append(best if best < math.inf else None)
    return curve


class KeptPool(Pool):
    """Outlives the studies that it serves.

    What a worker said last of a pruned fit may reach the next study, whose first fits have other, lower numbers.
    """

    def __exit__(self, *_: object) -> None:
        return


@one_trial
def _train(cfg: DictConfig) -> None:
    raise AssertionError("The workers train, not this process.")


@dataclass
class Studies:
    """Runs one study after the other, each in a folder of its own that is gone when it has ended."""

    fixed: list[str]
    pool: KeptPool
    template: Path
    ask_ms: list[float] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def run(
        self,
        *arguments: str,
        inspect: Callable[[Path], None] = lambda runs: None,
        task: Callable[[DictConfig], Any] = _train,
    ) -> Ended:
        """The command `train.py -m ...`. Raises what it raises. `inspect` sees the runs folder before it is gone."""
        self.ask_ms.clear()
        self.plans.clear()
        with tempfile.TemporaryDirectory(prefix="ridgeline-study-") as name:
            runs = Path(name)
            shutil.copy(self.template / "mlflow.db", runs / "mlflow.db")
            with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
                hydra = GlobalHydra.instance().hydra
                assert hydra is not None
                overrides = [*arguments, *self.fixed, f"runs={runs}"]
                with contextlib.redirect_stdout(io.StringIO()):  # its closing words
                    hydra.multirun("config", task, overrides, with_log_configuration=False)
            inspect(runs)
            return Ended(self.plans[0], read_trials(runs), list(self.ask_ms))

    def watch(self, loop: AskTell, ask: Any) -> Trial:
        """Ask, and note the CPU time of this thread: MLflow's writer has one of its own."""
        if not self.plans:
            self.plans.append(loop.plan)
        before = time.thread_time()
        trial: Trial = ask(loop)
        self.ask_ms.append(1e3 * (time.thread_time() - before))
        return trial


@contextlib.contextmanager
def studies(fixed: Sequence[str]) -> Iterator[Studies]:
    """With these overrides for all."""
    logging.getLogger("ridgeline").setLevel(logging.WARNING)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    quiet = ["tracking.keep_weights=0", "trainer.enable_progress_bar=false"]
    pool, before = KeptPool(cores(), train_alone), (AskTell.ask, StackSettings.start, Records.log_results)
    ask = AskTell.ask
    try:
        with tempfile.TemporaryDirectory(prefix="ridgeline-template-") as name:
            make_store(Path(name))
            made = Studies([*quiet, *fixed], pool, Path(name))
            StackSettings.start = lambda settings, n, config, *, gpu: pool  # type: ignore[method-assign,assignment]
            AskTell.ask = lambda loop: made.watch(loop, ask)  # type: ignore[method-assign,assignment]
            Records.log_results = lambda *_: None  # type: ignore[method-assign]
            yield made
    finally:
        AskTell.ask, StackSettings.start, Records.log_results = before  # type: ignore[method-assign]
        pool.close()
