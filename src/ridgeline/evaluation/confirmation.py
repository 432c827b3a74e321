"""From a study to a verdict: choose on validation, retrain over seeds, measure on the test split, compare."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from ridgeline.command_line.screen import bar_seconds
from ridgeline.config import ConfirmConfig
from ridgeline.data import DataDescription, load_splits
from ridgeline.evaluation import candidates as choosing
from ridgeline.evaluation.arms import BASELINE, BEST, Arm, compare, describe, retrain
from ridgeline.evaluation.baseline import propose_baselines, regularizers, with_rates_of
from ridgeline.evaluation.candidates import Candidate, Trainer
from ridgeline.evaluation.fits import start_workers
from ridgeline.evaluation.opened import Opened, OpenTest, open_once
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.evaluation.verdict import verdict
from ridgeline.search.ranking import ran
from ridgeline.tasks.figures import of_examples

FRESH, FINAL = 10_000, 20_000
"""The first seed of the choice on validation, and the first of the networks that are measured on the test split."""

LEDGER = "test_openings.jsonl"
"""In the runs folder: one line for each time that a test split was opened."""


@dataclass(frozen=True)
class Confirmation:
    """What confirming found: `record` as plain values, the others by `best` and `baseline`."""

    record: dict[str, Any]
    chosen: dict[str, Candidate]
    arms: dict[str, Arm]
    opened: Opened
    data: DataDescription


def confirm(
    stored: StoredStudy, settings: ConfirmConfig, open_test: OpenTest, folder: Path, revision: Mapping[str, Any]
) -> Confirmation:
    """Confirm the study. Raises FitsFailed if a network whose numbers are needed cannot be trained.

    `folder`: where predictions of the test split are kept, so that the same networks need not open it again.
    """
    started = time.monotonic()
    torch.set_num_threads(1)  # as workers have it, so that the same machine gives the same bits
    seeds = [FINAL + i for i in range(settings.seeds)]
    finalists = choosing.of_study(stored, settings.top)
    with start_workers(finalists[0].config) as workers, _bar(2 * settings.seeds) as bar:
        trainer = Trainer(workers, bar.update)
        best, baseline = _choose(stored, finalists, settings, trainer, bar)
        bar.set_description("retraining both on train + validation")
        chosen = {BEST: best[0], BASELINE: baseline[0]}
        different = best[:1] if baseline[0] is best[0] else [best[0], baseline[0]]
        retrained = retrain(different, seeds, workers, bar.update)
        arms = {BEST: retrained[0], BASELINE: retrained[-1]}
    ledger, by = Path(stored.config.runs) / LEDGER, {"study": stored.name, **revision}
    own = stored.config
    figure = of_examples(own.metric, own.predicted, own.loss.name)
    opened = open_once(arms, folder, open_test, ledger, by, figure)
    measured, n = opened.measured, len(opened.targets_N)
    asked = own.metric.rpartition("/")[2]
    found = {
        name: describe(arm, measured[name], opened.targets_N, figure, opened.sample, asked=asked)
        for name, arm in arms.items()
    }
    difference = compare(measured[BEST], measured[BASELINE], figure, opened.sample)
    off = regularizers(chosen[BEST].config)
    data = load_splits(best[0].config.data).description
    record = {
        "study": stored.name,
        "task": own.predicted,
        "metric": own.metric,
        "figure": figure,
        "settings": {name: getattr(settings, name) for name in ("top", "selection_seeds", "seeds", "lr_factor")},
        "verdict": verdict(found[BEST], found[BASELINE], difference, off, n, figure),
        "off": off,
        "early_stopping": chosen[BEST].config.callbacks.early_stopping is not None,
        "lost": [{**vars(lost), "sentence": lost.sentence} for lost in trainer.lost],
        "arms": found,
        "difference": difference,
        "candidates": {BEST: [_listed(c) for c in best], BASELINE: [_listed(c) for c in baseline]},
        "opening": opened.opening,
        "trials": len(ran(stored.study)),
        "cost": {"fits": bar.n, "seconds": round(time.monotonic() - started, 1)},
    }
    return Confirmation(record, chosen, arms, opened, data)


def _choose(
    stored: StoredStudy, finalists: Sequence[Candidate], settings: ConfirmConfig, trainer: Trainer, bar: Any
) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates of both sides, best and baseline, each with the chosen one first.

    The winner is chosen first, and the baseline is the winner's own network without regularization. A winner that has
    nothing on that regularizes is its own baseline.
    """
    fresh, budget = [FRESH + i for i in range(settings.selection_seeds)], len(ran(stored.study))

    def evaluate(candidates: Sequence[Candidate], of: str) -> list[Candidate]:
        bar.total += len(candidates) * len(fresh)
        bar.set_description(of)
        return trainer.evaluate(candidates, fresh, of)

    best = choosing.ranked(evaluate(finalists, "the study's best with new seeds"))
    winner = best[0]
    if not regularizers(winner.config):
        return best, [winner]
    candidates = propose_baselines(winner.config, stored.line.space, budget, settings.lr_factor)
    bar.total += len(candidates)
    bar.set_description("baseline: learning rates")
    baseline = trainer.search(candidates, stored.config.seed, settings.top, "learning rates of the baseline")
    baseline = choosing.ranked(evaluate(baseline, "baselines with new seeds"))
    others = with_rates_of(baseline, winner, stored.line.space)
    return choosing.ranked([*best, *evaluate(others, "the best with the baseline's learning rates")]), baseline


def _listed(candidate: Candidate) -> dict[str, Any]:
    seen = {"trial": candidate.trial, "params": candidate.params, "searched_value": candidate.searched}
    if not candidate.results:
        return {**seen, "mean": None, "standard_error": None, "values": []}
    values = [result.value for result in candidate.results]
    return {**seen, "mean": candidate.mean, "standard_error": candidate.standard_error, "values": values}


def _bar(total: int) -> Any:
    return tqdm(total=total, unit="fit", file=sys.stderr, dynamic_ncols=True, mininterval=bar_seconds())
