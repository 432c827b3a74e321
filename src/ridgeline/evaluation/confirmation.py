"""From a study to a verdict: choose on validation, retrain over seeds, measure on the test split, compare."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ridgeline.bars import bar_of
from ridgeline.config import Config, ConfirmConfig
from ridgeline.data import DataDescription
from ridgeline.data import describe as describe_data
from ridgeline.evaluation import candidates as choosing
from ridgeline.evaluation.ablation import describe_ablation, leave_one_out
from ridgeline.evaluation.arms import (
    BASELINE,
    BEST,
    Arm,
    compare,
    compare_by_seeds,
    describe,
    describe_by_seeds,
    retrain,
)
from ridgeline.evaluation.baseline import propose_baselines, rate_of, regularizers, with_rate_of_winner, with_rates_of
from ridgeline.evaluation.candidates import Candidate, Trainer
from ridgeline.evaluation.ensemble import Averaged, Chosen, choose, kept_of_study, retrain_members
from ridgeline.evaluation.ensemble_record import describe_ensembles
from ridgeline.evaluation.fits import FitsFailed, start_workers
from ridgeline.evaluation.measuring import Measuring, measuring_of, train_figures
from ridgeline.evaluation.opened import Opened, OpenTest, open_once
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.evaluation.verdict import verdict
from ridgeline.search.ranking import ran

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
    measuring: Measuring
    ensembles: dict[str, Averaged]


def confirm(
    stored: StoredStudy,
    settings: ConfirmConfig,
    open_test: OpenTest,
    folder: Path,
    revision: Mapping[str, Any],
    say: Callable[[str], None] = print,
) -> Confirmation:
    """Confirm the study. Raises FitsFailed if a network whose numbers are needed cannot be trained.

    `folder`: where predictions of the test split are kept, so that the same networks need not open it again. `say` gets
    what is known before the end.
    """
    started = time.monotonic()
    torch.set_num_threads(1)  # as workers have it, so that the same machine gives the same bits
    seeds, measuring = [FINAL + i for i in range(settings.seeds)], measuring_of(stored.config)
    finalists = choosing.of_study(stored, settings.top)
    with start_workers(finalists[0].config) as workers, _bar(2 * settings.seeds) as bar:
        trainer = Trainer(workers, bar.update)
        best, baseline = _choose(stored, finalists, settings, trainer, bar)
        on_both = "" if finalists[0].config.model is not None else " on train + validation"
        bar.set_description(f"retraining both{on_both}")
        chosen = {BEST: best[0], BASELINE: baseline[0]}
        different = best[:1] if baseline[0] is best[0] else [best[0], baseline[0]]
        retrained = retrain(different, seeds, workers, bar.update)
        arms = {BEST: retrained[0], BASELINE: retrained[-1]}
        ensembles = _ensembles(stored, chosen, arms, trainer, measuring, bar) if settings.ensemble else {}
        left = None
        if settings.leave_one_out:
            fresh = [FRESH + i for i in range(settings.selection_seeds)]
            left = leave_one_out(best[0], baseline[0], settings, fresh, seeds, trainer, bar, say)
    ledger, by = Path(stored.config.runs) / LEDGER, {"study": stored.name, **revision}
    own = stored.config
    figure = measuring.figure
    beside = {} if left is None else left.arms
    opened = open_once(arms, folder, open_test, ledger, by, measuring, ensembles, beside)
    found, difference = _compared(arms, opened, measuring, own.metric.rpartition("/")[2])
    off = regularizers(chosen[BEST].config)
    n = len(opened.targets_N)
    record = {
        "study": stored.name,
        "task": measuring.task,
        "metric": own.metric,
        "figure": figure,
        "settings": {name: getattr(settings, name) for name in ("top", "selection_seeds", "seeds", "lr_factor")},
        "by_seeds": measuring.by_seeds,
        "direction": own.direction,
        "verdict": verdict(found[BEST], found[BASELINE], difference, off, n, figure, by_seeds=_sign(measuring)),
        "off": off,
        "tuned": (rate_of(chosen[BEST].config, stored.line.space) or (None,))[0],
        "early_stopping": chosen[BEST].config.callbacks.early_stopping is not None,
        "lost": [{**vars(lost), "sentence": lost.sentence} for lost in trainer.lost],
        "arms": found,
        "difference": difference,
        **({} if left is None else {"ablation": describe_ablation(left, opened, measuring)}),
        "candidates": {BEST: [_listed(c) for c in best], BASELINE: [_listed(c) for c in baseline]},
        **({"ensemble": describe_ensembles(ensembles, opened, measuring)} if ensembles else {}),
        "opening": opened.opening,
        "trials": len(ran(stored.study)),
        "cost": {"fits": bar.n, "seconds": round(time.monotonic() - started, 1)},
    }
    return Confirmation(record, chosen, arms, opened, _data(best[0].config, opened, measuring), measuring, ensembles)


def _compared(
    arms: Mapping[str, Arm], opened: Opened, measuring: Measuring, asked: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides, and their difference."""
    measured, figure = opened.measured, measuring.figure
    if measuring.by_seeds:
        found = {name: describe_by_seeds(arm, measured[name], figure) for name, arm in arms.items()}
        return found, compare_by_seeds(measured[BEST], measured[BASELINE], figure)
    is_module = measuring.answer is not None
    found = {
        name: describe(
            arm,
            measured[name],
            opened.targets_N,
            figure,
            opened.sample,
            asked="" if is_module else asked,
            train_S=train_figures(arm.config, arm.fits, measuring) if is_module else None,
        )
        for name, arm in arms.items()
    }
    return found, compare(measured[BEST], measured[BASELINE], figure, opened.sample)


def _sign(measuring: Measuring) -> int | None:
    """Which way a figure of seeds alone is better: 1 up, -1 down; None: it is one of examples' errors."""
    return None if not measuring.by_seeds else 1 if measuring.larger_is_better else -1


def _data(config: Config, opened: Opened, measuring: Measuring) -> DataDescription:
    """Of a DataModule, with what its test split has told of it."""
    found = describe_data(config.data)
    if not config.data.is_module or measuring.by_seeds:
        return found
    classes = opened.measured[BEST].predictions_SNC.shape[2] if measuring.task == "classification" else 0
    return replace(
        found,
        examples=found.examples._replace(test=len(opened.targets_N)),
        features=math.prod(opened.opening["shape"]),
        classes=classes,
        class_names=tuple(map(str, range(classes))),
    )


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


def _ensembles(
    stored: StoredStudy,
    chosen: Mapping[str, Candidate],
    arms: Mapping[str, Arm],
    trainer: Trainer,
    measuring: Measuring,
    bar: Any,
) -> dict[str, Averaged]:
    """Of the study's trials, and of the baseline's where there are such: both by the same rule."""
    bar.set_description("selecting ensembles")
    sides, own = dict[str, Chosen](), choose(kept_of_study(stored, chosen[BEST].config), measuring)
    if own is None:
        raise FitsFailed("No network whose weights are kept sees the data as the winner does (tracking.keep_members).")
    members = with_rate_of_winner(own.members, chosen[BEST], stored.line.space)
    sides[BEST] = replace(own, members=members)
    if trainer.searched:
        of_baseline = choose([(candidate, fit.weights) for candidate, fit in trainer.searched], measuring)
        assert of_baseline is not None
        sides[BASELINE] = of_baseline
    n_seeds = len(arms[BEST].seeds)
    bar.total += n_seeds * sum(len(own.members) for own in sides.values())
    bar.set_description("retraining the members of ensembles")
    return retrain_members(sides, arms, FINAL, n_seeds, trainer.workers, bar.update)


def _listed(candidate: Candidate) -> dict[str, Any]:
    seen = {"trial": candidate.trial, "params": candidate.params, "searched_value": candidate.searched}
    if not candidate.results:
        return {**seen, "mean": None, "standard_error": None, "values": []}
    values = [result.value for result in candidate.results]
    return {**seen, "mean": candidate.mean, "standard_error": candidate.standard_error, "values": values}


def _bar(total: int) -> Any:
    return bar_of(total=total, unit="fit")
