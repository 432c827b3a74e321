"""Beside the studies themselves: an ask in a long study, and the best configuration trained again on fresh seeds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import create_trial

from ridgeline.config import parse
from ridgeline.search.ask_tell import AskTell
from ridgeline.search.plan import Plan
from ridgeline.search.start import design_point
from ridgeline.stack.pool import Pool
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.source import Fit
from ridgeline.stack.stream import Stream

FIRST_FRESH = 1000
"""The first of the seeds that no study's fits have."""
ASKS, ENOUGH = 5, 2000.0
"""So many asks are timed, or as many as take so many milliseconds."""


class Fresh:
    """A stream's source: one configuration with many seeds. What a fit ends with is in `values`."""

    def __init__(self, plan: Plan, params: Mapping[str, Any], n: int) -> None:
        tree = plan.trees.of(params).tree
        self._left = [Fit(k, parse({**tree, "seed": FIRST_FRESH + k}), 0) for k in range(n)]
        self.values: dict[int, float] = {}

    def next(self, slot: int, tick: int) -> Fit | None:
        return self._left.pop(0) if self._left else None

    def epoch(self, fit: Fit, row: Row) -> bool:
        return False

    def ended(self, fit: Fit) -> None:
        assert isinstance(fit.outcome, FitResult), fit.outcome
        self.values[fit.number] = fit.outcome.value


def retrain(pool: Pool, plan: Plan, params: Mapping[str, Any], n: int) -> list[float]:
    """The metric of `n` fits of one configuration: a stack in each worker."""
    source = Fresh(plan, params, n)
    Stream(pool, source).run({}, dict.fromkeys(range(n), 0))
    return [source.values[k] for k in range(n)]


def ask_at(plan: Plan, n: int) -> float:
    """CPU milliseconds of an ask after `n` trials of a smooth function with noise, in a storage in memory; median."""
    study, space, rng = optuna.create_study(), plan.line.space, np.random.default_rng(0)
    distributions = {d.key: d.distribution for d in space}
    trials = AskTell(plan, study, Path(), None, None, 0.0)  # type: ignore[arg-type]  # which no ask looks at
    for place in range(n):
        params = design_point(space, 1, place)
        value = sum((i + 1) * float(v) ** 2 for i, v in enumerate(params.values())) + rng.normal(0, 0.01)
        study.add_trial(create_trial(params=params, distributions=distributions, value=value))
    took = list[float]()
    while len(took) < ASKS and sum(took) < ENOUGH:
        before = time.thread_time()
        trial = trials.ask()
        took.append(1e3 * (time.thread_time() - before))
        study.tell(trial, 1.0)
    return statistics.median(took)
