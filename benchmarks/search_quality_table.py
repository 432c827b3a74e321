"""What the studies say: medians over seeds with bootstrap intervals, as plain values for JSON and as lines."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

AFTER = (16, 32, 64)
BASELINE = "random"
RESAMPLES = 10000


@dataclass(frozen=True)
class Way:
    """A sampler without a pruner, or TPE with a pruner; and what a user adds to `train.py -m` for it."""

    title: str
    arguments: tuple[str, ...]
    is_sampler: bool = True


WAYS = {
    "random": Way("random", ("search=random",)),  # from the first trial on: `bayes` starts with a design
    "sobol": Way("Sobol'", ("search=bayes", "search/sampler=sobol", "search.n_startup_trials=0")),
    "tpe": Way("TPE", ("search=bayes",)),
    "gp": Way("GP", ("search=bayes", "search/sampler=gp")),
    "cmaes": Way("CMA-ES", ("search=bayes", "search/sampler=cmaes")),
    **{
        name: Way(f"TPE, {name}", ("search=bayes", f"search/pruner={name}"), False)
        for name in ("median", "asha", "hyperband", "patient")
    },
}


def best_so_far(trials: Sequence[FrozenTrial]) -> list[float | None]:
    """After each trial's end; None until one is complete: a pruned trial has no value."""
    best, curve = math.inf, list[float | None]()
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            best = min(best, trial.value)
        curve.append(best if best < math.inf else None)
    return curve


def summarize(found: Mapping[str, Sequence[Mapping[str, Any]]], long_ask: Mapping[str, float]) -> dict[str, Any]:
    """Everything, by way; the target is the median that random search ends with."""
    target = statistics.median(row["best_so_far"][-1] for row in found[BASELINE])
    moment = min(statistics.median(row["seconds"][-1] for row in rows) for rows in found.values())
    ways = {key: _way(key, rows, target, moment, long_ask.get(key)) for key, rows in found.items()}
    return {"target": target, "equal_seconds": moment, "ways": ways}


def _way(
    key: str, rows: Sequence[Mapping[str, Any]], target: float, moment: float, long_ask: float | None
) -> dict[str, Any]:
    n_trials = len(rows[0]["seconds"])
    fresh = [statistics.mean(row["fresh"]) for row in rows]
    reached = [
        next((i for i, b in enumerate(row["best_so_far"]) if b is not None and b <= target), None) for row in rows
    ]
    steps = [math.inf if i is None else i + 1 for i in reached]
    seconds = [math.inf if i is None else row["seconds"][i] for i, row in zip(reached, rows, strict=True)]
    return {
        "title": WAYS[key].title,
        "is_sampler": WAYS[key].is_sampler,
        "best_after": {n: median([value(row, n) for row in rows]) for n in AFTER if n <= n_trials}
        or {n_trials: median([value(row, n_trials) for row in rows])},
        "best_at_equal_seconds": median([value(row, sum(s <= moment for s in row["seconds"])) for row in rows]),
        "seconds": median([row["seconds"][-1] for row in rows]),
        "epochs": median([row["epochs"] for row in rows]),
        "reached_target": sum(i is not None for i in reached),
        "trials_to_target": median(steps, lower=True),
        "seconds_to_target": median(seconds, lower=True),
        "best": median([value(row, n_trials) for row in rows]),
        "fresh": median(fresh),
        "fresh_minus_best": median([mean - value(row, n_trials) for mean, row in zip(fresh, rows, strict=True)]),
        "ask_cpu_ms": statistics.median(ms for row in rows for ms in row["ask_cpu_ms"][n_trials // 2 :]),
        "ask_cpu_ms_in_a_long_study": long_ask,
        "studies": list(rows),
    }


def value(row: Mapping[str, Any], n: int) -> float:
    """The best after `n` trials ended; infinite before there is one."""
    best = row["best_so_far"][n - 1] if n > 0 else None
    return math.inf if best is None else float(best)


def median(values: Sequence[float], *, lower: bool = False) -> dict[str, float | None]:
    """With a 95% interval: percentiles of the medians of resampled seeds. None: never, in more than half of them.

    `lower`: of an even number the lower of the two in the middle, for where the upper may be infinite.
    """
    rng = np.random.default_rng(0)
    picked = np.sort(rng.choice(np.asarray(values, dtype=float), (RESAMPLES, len(values))), axis=1)
    middle = picked[:, (len(values) - 1) // 2]
    if not lower:
        middle = (middle + picked[:, len(values) // 2]) / 2
    ordered = np.sort(middle)  # infinities too, which percentiles cannot interpolate
    low, high = ordered[int(0.025 * RESAMPLES)], ordered[int(0.975 * RESAMPLES)]
    own = statistics.median_low(values) if lower else statistics.median(values)
    named = {"median": own, "low": float(low), "high": float(high)}
    return {name: number if math.isfinite(number) else None for name, number in named.items()}


def lines(report: Mapping[str, Any]) -> list[str]:
    """Tables for people."""
    ways, settings = report["ways"], report["settings"]
    after = list(next(iter(ways.values()))["best_after"])
    heads = [*(f"after {n}" for n in after), f"at {report['equal_seconds']:.1f} s"]
    text = [
        "best val/loss so far, median [95% interval]",
        f"{'':<17}{''.join(f'{head:^26}' for head in heads)}{'seconds':>9}{'epochs':>8}",
    ]
    for row in ways.values():
        cells = [*row["best_after"].values(), row["best_at_equal_seconds"]]
        text.append(
            f"{row['title']:<17}{''.join(f'{_cell(cell):^26}' for cell in cells)}"
            f"{_shown(row['seconds']['median'], 1):>9}{_shown(row['epochs']['median'], 0):>8}"
        )
    text += [
        "",
        f"to the target, {report['target']:.4f}, the median after {settings['trials']} random trials; "
        f"and the best trained again on {settings['fresh']} fresh seeds",
        f"{'':<17}{'reached':>10}{'trials':>9}{'seconds':>9}{'best':>10}{'fresh mean [95% interval]':^30}"
        f"{'fresh-best':>11}{'ask CPU ms':>12}{'at ' + str(settings['asked_at']):>9}",
    ]
    for row in ways.values():
        long_ask = row["ask_cpu_ms_in_a_long_study"]
        text.append(
            f"{row['title']:<17}{row['reached_target']:>6} / {settings['seeds']}"
            f"{_shown(row['trials_to_target']['median'], 0):>8}{_shown(row['seconds_to_target']['median'], 1):>9}"
            f"{_shown(row['best']['median'], 4):>10}{_cell(row['fresh']):^30}"
            f"{_shown(row['fresh_minus_best']['median'], 4):>11}{row['ask_cpu_ms']:>12.1f}{_shown(long_ask, 1):>9}"
        )
    return text


def _cell(cell: Mapping[str, float | None]) -> str:
    return f"{_shown(cell['median'], 4)} [{_shown(cell['low'], 4)}, {_shown(cell['high'], 4)}]"


def _shown(number: float | None, digits: int) -> str:
    return "-" if number is None else f"{number:.{digits}f}"
