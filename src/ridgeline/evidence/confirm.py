"""From a study to a verdict: choose on validation, retrain over seeds, open the test part once, write it all down."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ridgeline.checking import ConfigError
from ridgeline.config import ConfirmConfig, DataConfig
from ridgeline.data import DataDescription, Part, load_splits
from ridgeline.evidence import candidates as choosing
from ridgeline.evidence.arms import BEST, PLAIN, Arm, Measured, describe, measure, retrain, tested
from ridgeline.evidence.candidates import Candidate
from ridgeline.evidence.fits import start_workers
from ridgeline.evidence.statistics import TEST, estimate
from ridgeline.evidence.stored import StoredStudy
from ridgeline.evidence.verdict import verdict
from ridgeline.search.ranking import ran
from ridgeline.stack.workers import Workers

FRESH, FINAL = 10_000, 20_000
"""Seeds are counted from here: those of the choice on validation, and those that the test part is measured with."""

LEDGER = "test_openings.jsonl"
"""In the runs folder: one line for each time that a test part was opened."""

OpenTest = Callable[[DataConfig, Path, Mapping[str, Any]], tuple[Part, Any]]
"""`ridgeline.data.test_split.open_test_split`, which pipelines/confirm.py alone may name."""


@dataclass(frozen=True)
class Confirmation:
    """What confirm found. `record` has it in plain values; all else is of `best` and of `plain`."""

    record: dict[str, Any]
    chosen: dict[str, Candidate]
    arms: dict[str, Arm]
    measured: dict[str, Measured]
    test: Part
    data: DataDescription


def check(stored: StoredStudy) -> None:
    """Raise ConfigError where there is nothing to confirm."""
    rule = "the study trains on the train part alone"
    if stored.config.data.fit_on != "train":
        raise ConfigError(f"`{rule}` must hold, but got data.fit_on={stored.config.data.fit_on}.")
    if not any(t.value is not None for t in ran(stored.study)):
        raise ConfigError(f"The study {stored.name} has no complete trial, so there is nothing to confirm.")


def confirm(
    stored: StoredStudy, settings: ConfirmConfig, open_test: OpenTest, revision: Mapping[str, Any]
) -> Confirmation:
    """Raises FitsFailed where a network of which a number is needed cannot be trained."""
    started = time.monotonic()
    torch.set_num_threads(1)  # as workers have it, so that the same machine gives the same bits
    seeds = [FINAL + i for i in range(settings.seeds)]
    best = choosing.of_study(stored, settings.top)
    plain = choosing.plain(stored, best[0].config, settings.lr_factor)
    with start_workers(best[0].config) as workers, _bar(len(plain) + 2 * settings.seeds) as bar:
        best, plain = _choose(stored, best, plain, settings, workers, bar)
        bar.set_description("retraining both on train + validation")
        chosen = {BEST: best[0], PLAIN: plain[0]}
        arms = dict(zip(chosen, retrain(list(chosen.values()), seeds, workers, bar.update), strict=True))
    ledger, by = Path(stored.config.runs) / LEDGER, {"study": stored.name, **revision}
    test, opening = open_test(arms[BEST].config.data, ledger, by)
    measured = {name: measure(arm.config, arm.fits, test) for name, arm in arms.items()}
    found = {name: describe(arm, measured[name], test.y_N.numpy()) for name, arm in arms.items()}
    difference: dict[str, Any] = {
        "error": tested(estimate(measured[BEST].errors_SN - measured[PLAIN].errors_SN)),
        "loss": tested(estimate(measured[BEST].losses_SN - measured[PLAIN].losses_SN)),
        "test": TEST,
    }
    data = load_splits(best[0].config.data).description
    record = {
        "study": stored.name,
        "metric": stored.config.metric,
        "settings": {name: getattr(settings, name) for name in ("top", "selection_seeds", "seeds", "lr_factor")},
        "verdict": verdict(found[BEST], found[PLAIN], difference),
        "arms": found,
        "difference": difference,
        "candidates": {BEST: [_listed(c) for c in best], PLAIN: [_listed(c) for c in plain]},
        "opening": {"number": opening.number, "when": opening.when, **opening.by, "earlier": list(opening.earlier)},
        "trials": len(ran(stored.study)),
        "cost": {"fits": bar.n, "seconds": round(time.monotonic() - started, 1)},
    }
    return Confirmation(record, chosen, arms, measured, test, data)


def _choose(
    stored: StoredStudy,
    best: Sequence[Candidate],
    plain: Sequence[Candidate],
    settings: ConfirmConfig,
    workers: Workers,
    bar: Any,
) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates of both sides, the chosen one of each first."""
    bar.set_description("plain network: learning rates")
    plain = choosing.search(plain, stored.config.seed, settings.top, workers, bar.update)
    fresh = [FRESH + i for i in range(settings.selection_seeds)]

    def evaluate(candidates: Sequence[Candidate]) -> list[Candidate]:
        bar.total += len(candidates) * len(fresh)
        return choosing.evaluate(candidates, fresh, workers, bar.update)

    bar.set_description("choosing by new seeds")
    evaluated = evaluate([*best, *plain])
    best, plain = choosing.ranked(evaluated[: len(best)]), choosing.ranked(evaluated[len(best) :])
    bar.set_description("the best with other learning rates")
    return choosing.ranked([*best, *evaluate(choosing.with_rates_of(plain, best[0], stored))]), plain


def _listed(candidate: Candidate) -> dict[str, Any]:
    seen = {"trial": candidate.trial, "params": candidate.params, "searched_value": candidate.searched}
    if not candidate.results:
        return {**seen, "mean": None, "standard_error": None, "values": []}
    values = [result.value for result in candidate.results]
    return {**seen, "mean": candidate.mean, "standard_error": candidate.standard_error, "values": values}


def _bar(total: int) -> Any:
    return tqdm(
        total=total, unit="fit", file=sys.stderr, dynamic_ncols=True, mininterval=0.1 if sys.stderr.isatty() else 30.0
    )
