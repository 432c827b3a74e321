"""How long should a trial train: full training, pruners, and short trials of which the best train on, at equal cost.

Each strategy searches a table by the recipe for tables for as many seconds of one core (of CPU, of this process and of
its worker together, so that other work on the machine is nothing to it). It is a study but for its store: its space,
first trials, sampler and pruner, and one worker with a stack of four whose slots are refilled on the logical clock.
Large tables are cut to 3,000 rows of train and validation, so that the seconds buy what a minute buys for a table of
30,000. Of the best trial by validation that is complete after so many seconds, the loss on validation and on test is
written down. Regret is how much larger it is than the smallest that any strategy and seed has on that table at the end.

A strategy of two stages is what a study cannot be told: all trials train for a few epochs until a share of the time is
gone, then the best of them train anew and fully, the best first (of one epoch: Egele et al. 2023, arXiv 2307.15422).

`--out` gets each cell when it is done, and a second start does what it lacks.

    python benchmarks/fidelity.py --tables FOLDER [--out FILE.csv] [--seeds 2] [--only STRATEGY ...]
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
import torch
from optuna.trial import Trial, TrialState

from on_tables.scores import figures
from on_tables.splits import Table, read_table
from progress import Progress
from regret import compared, draw, markdown
from ridgeline.api.composing import composed
from ridgeline.config import Config, parse
from ridgeline.evaluation.fitted import fitted_of
from ridgeline.lightning.alone import train_alone
from ridgeline.search.plan import Plan, make_plan
from ridgeline.search.pruning import Pruning, make_pruner
from ridgeline.search.sampling import sampler_for
from ridgeline.stack.pool import Pool
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.source import Fit, Pruned
from ridgeline.stack.stream import Stream
from table_recipe import settings_of

BENCHMARKS = Path(__file__).resolve().parent
TABLES = ("vehicle", "phoneme", "jungle_chess", "adult", "cpu_act", "houses")
AFTER = (1, 2, 3, 4, 6, 8, 12, 16)
"""Seconds of CPU after which the best is looked at; the last is when a search ends."""
STACK = 4
BASELINE = "full training"


@dataclasses.dataclass(frozen=True)
class Strategy:
    """What a user adds to the recipe; and of two stages the epochs of the first, and its share of the time."""

    arguments: tuple[str, ...] = ()
    epochs: int | None = None
    share: float = 0.0


STRATEGIES = {
    BASELINE: Strategy(),
    "median": Strategy(("search/pruner=median",)),
    "median, after 4 trials": Strategy(("search/pruner=median", "search.pruner.n_startup_trials=4")),
    "asha": Strategy(("search/pruner=asha",)),
    "hyperband": Strategy(("search/pruner=hyperband",)),
    "asha, a tenth at 1 and 10 epochs": Strategy(
        ("search/pruner=asha", "search.pruner.min_resource=1", "search.pruner.reduction_factor=10")
    ),
    "1 epoch, then the best": Strategy(epochs=1, share=0.25),
    "10 epochs, then the best": Strategy(epochs=10, share=0.5),
}


class TimeIsUp(Exception):
    """The search has had its seconds."""


class Clock:
    """Seconds of CPU that this process and its workers have had."""

    def __init__(self) -> None:
        self._own = time.process_time()
        self._workers = [(process, _seconds(process)) for process in psutil.Process().children(recursive=True)]

    @property
    def spent(self) -> float:
        return time.process_time() - self._own + sum(_seconds(process) - before for process, before in self._workers)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What this process does meanwhile does not count."""
        began = time.process_time()
        yield
        self._own += time.process_time() - began


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class Search:
    """The source of a search's fits.

    `short`: what ended in a first stage; `promoted`: of these the ones that are still to train fully, the best last;
    None in the first stage. `best`: the losses of each trial that was the best when it was complete, and when.
    """

    def __init__(self, table: Table, plan: Plan, strategy: Strategy, clock: Clock, seconds: float) -> None:
        self.table, self.plan, self.strategy, self.clock, self.seconds = table, plan, strategy, clock, seconds
        self.study = optuna.create_study(study_name=f"{table.name}-{plan.config.search.seed}")
        settings = plan.config.search.pruner
        self.pruning = None if settings is None else Pruning(self.study, make_pruner(settings))
        self.trials: dict[int, Trial] = {}
        self.short: list[FitResult] = []
        self.promoted: list[FitResult] | None = None
        self.best: list[dict[str, float]] = []
        self.counts = {"complete": 0, "pruned": 0, "failed": 0, "fully": 0, "epochs": 0}

    def run(self, pool: Pool) -> None:
        """Until the seconds are spent, or nothing is left to train."""
        try:
            Stream(pool, self).run({}, dict.fromkeys(range(STACK), 0))
            self.promoted = sorted(self.short, key=lambda one: one.value, reverse=True)
            Stream(pool, self).run({}, dict.fromkeys(range(STACK), 0))
        except TimeIsUp:
            return

    def next(self, slot: int, tick: int) -> Fit | None:
        epochs = self.strategy.epochs
        if self.promoted is not None:
            number, config = -1 - len(self.promoted), self.promoted.pop().config if self.promoted else None
            return None if config is None else Fit(number, _for(config, self.plan.config.trainer.max_epochs), tick)
        if epochs is not None and self.clock.spent > self.strategy.share * self.seconds:
            return None
        space, place = self.plan.line.space, len(self.trials)
        self.study.sampler = sampler_for(self.plan.config.search, space, place)
        trial = self.trials[place] = self.study.ask({d.key: d.distribution for d in space})
        config = parse(self.plan.trees.of(trial.params).tree)
        return Fit(place, config if epochs is None else _for(config, epochs), tick)

    def epoch(self, fit: Fit, row: Row) -> bool:
        self.counts["epochs"] += 1
        value = row["val/loss"]
        if self.clock.spent > self.seconds:
            raise TimeIsUp
        if self.pruning is None or not np.isfinite(value):
            return False
        self.trials[fit.number].report(value, fit.epochs)
        return self.pruning.prunes(fit.number, fit.epochs, value, (fit.start + fit.epochs, fit.slot))

    def ended(self, fit: Fit) -> None:
        found = fit.outcome if isinstance(fit.outcome, FitResult) and not fit.outcome.failure else None
        state = TrialState.COMPLETE if found else TrialState.FAIL
        state = TrialState.PRUNED if isinstance(fit.outcome, Pruned) else state
        self.counts[{"COMPLETE": "complete", "PRUNED": "pruned"}.get(state.name, "failed")] += 1
        if fit.number in self.trials:
            told = self.study.tell(fit.number, found and found.value, state=state)
            if self.pruning is not None:
                self.pruning.ended(told, (fit.start + fit.epochs, fit.slot))
        if found is None:
            return
        if self.strategy.epochs is not None and self.promoted is None:
            self.short.append(found)
        else:
            self.counts["fully"] += 1
        if not self.best or found.value < self.best[-1]["validation"]:
            spent = self.clock.spent
            with self.clock.paused():
                test = _test_loss(self.table, found)
            self.best.append({"spent": spent, "validation": found.value, "test": test})


def _for(config: Config, epochs: int) -> Config:
    return dataclasses.replace(config, trainer=dataclasses.replace(config.trainer, max_epochs=epochs))


def _test_loss(table: Table, one: FitResult) -> float:
    """Log loss, or RMSE."""
    found = fitted_of(one.config, one.weights)
    assert found is not None
    predicted = found[0].predict(table.frame.iloc[table.rows["test"]].reset_index(drop=True))
    if not table.is_regression:
        names = list(found[0].class_names)
        predicted = predicted[:, [names.index(name) for name in table.classes]]
    return figures(table, predicted)["loss"]


def measure(table: Table, given: Sequence[str], strategy: Strategy, seed: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each moment: the losses of the best by then; none before a trial is complete."""
    own = [f"seed={seed}", f"search.seed={seed}"]
    asked = ["experiment=table", "search=bayes", "trainer.accelerator=cpu", *given, *own, *strategy.arguments]
    with composed(asked) as (context, master, arguments), Pool(1, train_alone) as pool:
        plan = make_plan(context, master, arguments, arguments)
        search = Search(table, plan, strategy, Clock(), seconds)
        search.run(pool)
    moments = [after for after in AFTER if after < seconds] + [seconds]
    rows = []
    for after in moments:
        by_then = [one for one in search.best if one["spent"] <= after]
        losses = {name: by_then[-1][name] if by_then else "" for name in ("validation", "test")}
        rows.append({"after": after, **losses, **(search.counts if after == seconds else {})})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="the folder with the tables and index.json")
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results" / "fidelity.csv", help="the CSV")
    parser.add_argument("--picture", type=Path, help="of regret over seconds")
    parser.add_argument("--seconds", type=float, default=float(AFTER[-1]), help="of one core, for each cell")
    parser.add_argument("--seeds", type=int, default=2, help="of the search and of its trials")
    parser.add_argument("--only", nargs="*", help="names of strategies, to measure and to compare")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("ridgeline").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    rows: list[dict[str, Any]] = list(csv.DictReader(asked.out.open())) if asked.out.exists() else []
    done, progress = {(one["strategy"], one["table"], str(one["seed"])) for one in rows}, Progress()
    with tempfile.TemporaryDirectory() as folder:
        cells = [(seed, table, name) for seed in range(asked.seeds) for table in TABLES for name in STRATEGIES]
        for seed, each, name in cells:
            if (name, each, str(seed)) in done or (asked.only and name not in asked.only):
                continue
            progress.say(f"seed {seed}, {each}: {name}")
            table = read_table(asked.tables, each)
            found = measure(table, settings_of(table, Path(folder)), STRATEGIES[name], seed, asked.seconds)
            own = [{"strategy": name, "table": each, "seed": str(seed), **one} for one in found]
            rows += own
            with asked.out.open("a", newline="") as file:
                writer = csv.DictWriter(file, list(own[-1]))
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerows(own)
    order = [name for name in STRATEGIES if not asked.only or name in asked.only]
    rows = [row for row in rows if row["strategy"] in order]
    rows = sorted(compared(rows), key=lambda row: order.index(row["strategy"]))
    print(markdown(rows, BASELINE))
    if asked.picture:
        draw(rows).savefig(asked.picture)


if __name__ == "__main__":
    main()
