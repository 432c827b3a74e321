"""How good are the samplers and the pruners: real studies over seeds, against trials and against seconds.

The study of `make sweep` (its space, network, early stopping) with 64 trials, through the sweeper and the stack
launcher, all in one process; `search.seed` differs, the fits' own seed does not. The best configuration of each study
is trained again with seeds that the search never saw. On MNIST the network has one hidden layer of 32 units and trials
have 6 epochs. Ends in about 10 minutes on two cores.

    python benchmarks/search_quality.py
    python benchmarks/search_quality.py --data mnist --examples 10000 --root FOLDER_OF_MNIST
    python benchmarks/search_quality.py --quick
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inprocess import Ended, Studies, best_so_far, studies
from machine import BUSY, describe_machine
from progress import Progress
from ridgeline.report.axes import DPI
from rivals.crew import cores
from search_quality_extras import ask_at, retrain

BENCHMARKS = Path(__file__).resolve().parent
AFTER = (16, 32, 64)
BASELINE = "random"
RESAMPLES = 10000
COLOURS = {
    "random": "#7f7f7f",
    "sobol": "#9467bd",
    "tpe": "#1f77b4",
    "gp": "#2ca02c",
    "cmaes": "#ff7f0e",
    "median": "#2ca02c",
    "asha": "#d62728",
    "hyperband": "#9467bd",
    "patient": "#ff7f0e",
}
MARK = "#444444"
MOMENTS = 200
BEYOND = 1e3
"""Stands for no value yet: above the axes."""
ASKED_AT = 500
"""Trials of the study in memory in which an ask is timed too."""


def study(made: Studies, way: str, seed: int, fresh: int, trials: int) -> tuple[dict[str, Any], Ended]:
    """One study and its confirmation, as plain values."""
    ended = made.run(*WAYS[way].arguments, f"search.seed={seed}", f"search.n_trials={trials}")
    states = [t.state.name for t in ended.trials]
    best = min((t for t in ended.trials if t.state.name == "COMPLETE"), key=lambda t: t.value or 0.0)
    found = {
        "seed": seed,
        "best_so_far": best_so_far(ended.trials),
        "seconds": ended.seconds,
        "epochs": sum(t.user_attrs["outcome"]["epochs"] for t in ended.trials),
        "states": {state.lower(): states.count(state) for state in sorted(set(states))},
        "best_params": best.params,
        "fresh": retrain(made.pool, ended.plan, best.params, fresh),
        "ask_cpu_ms": ended.ask_ms,
    }
    return found, ended


def main() -> None:
    args = parse_arguments()
    load = os.getloadavg()[0]
    progress = Progress()
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    at_500, started, done = dict[str, float](), 0.0, 0
    total = args.seeds * len(WAYS)
    progress.say("starting the workers")
    with studies(fixed(args)) as made:
        study(made, "random", 0, args.fresh, 4)  # not counted: data, imports
        started = time.monotonic()
        for seed in range(args.seeds):
            for way in WAYS:
                left = f", about {(time.monotonic() - started) / done * (total - done):.0f} s left" if done else ""
                progress.say(f"seed {seed + 1} of {args.seeds}: {WAYS[way].title}{left}")
                row, ended = study(made, way, seed, args.fresh, args.trials)
                found[way].append(row)
                done += 1
                if WAYS[way].is_sampler and way not in at_500:
                    at_500[way] = ask_at(ended.plan, 40 if args.quick else ASKED_AT)
    progress.clear()
    machine = {**describe_machine(), "cores_used": cores(), "load_before": round(load, 2)}
    settings = {name: getattr(args, name) for name in ("data", "seeds", "trials", "epochs", "fresh", "quick")}
    settings["examples"] = args.examples
    settings["asked_at"] = 40 if args.quick else ASKED_AT
    report: dict[str, Any] = {"machine": machine, "settings": settings, **summarize(found, at_500)}
    print(
        f"{args.data}; {machine['cpu']}, {machine['cores_used']} cores, {machine['memory_gib']} GiB, "
        f"torch {machine['torch']}; medians over {args.seeds} seeds" + ", QUICK: no figures to quote" * args.quick
    )
    if load > BUSY * cores():
        print(f"WARNING: the load was {load:.1f} before the start.")
    print("\n".join(lines(report)))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")
    if args.picture is not None:
        draw(report).savefig(args.picture)


def fixed(args: argparse.Namespace) -> list[str]:
    """What all studies have in common."""
    overrides = [f"data={args.data}", f"trainer.max_epochs={args.epochs}"]
    if args.data == "mnist":
        overrides += [f"data.root='{Path(args.root).absolute()}'", "network.hidden=[32]"]  # 90 studies in minutes
    return overrides + ([f"data.examples={args.examples}"] if args.examples else [])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"), help="of MNIST")
    parser.add_argument("--examples", type=int, help="train and validation; all, or 10000 of MNIST")
    parser.add_argument("--seeds", type=int, help="values of search.seed; 10, or 2 with --quick")
    parser.add_argument("--trials", type=int, help="of a study; 64, or 12 with --quick")
    parser.add_argument("--epochs", type=int, help="of a trial; 30, 6 on MNIST, or 6 with --quick")
    parser.add_argument("--fresh", type=int, help="seeds of the confirmation; 8, or 2 with --quick")
    parser.add_argument("--quick", action="store_true", help="few short trials, to see whether all runs; not written")
    parser.add_argument("--out", type=Path, help="the report as JSON; results/search_quality.json unless --quick")
    parser.add_argument("--picture", type=Path, help="docs/images/search_quality.png unless --quick")
    args = parser.parse_args()
    is_mnist = args.data == "mnist"
    defaults = {"seeds": (10, 2), "trials": (64, 12), "epochs": (6 if is_mnist else 30, 6), "fresh": (8, 2)}
    for name, (full, quick) in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, quick if args.quick else full)
        if getattr(args, name) < 1:
            parser.error(f"`{name} >= 1` must hold, but got {getattr(args, name)}.")
    if args.examples is None and is_mnist:
        args.examples = 10000
    name = "search_quality_mnist" if is_mnist else "search_quality"
    if not args.quick:
        args.out = args.out or BENCHMARKS / "results" / f"{name}.json"
        args.picture = args.picture or BENCHMARKS.parent / "docs" / "images" / f"{name}.png"
    return args


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


def draw(report: Mapping[str, Any]) -> Figure:
    """Medians over seeds with interquartile bands."""
    figure = Figure(figsize=(10.5, 4.4), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    ways, settings = report["ways"], report["settings"]
    n_trials = len(ways["tpe"]["studies"][0]["seconds"])
    trials = np.arange(1, n_trials + 1)
    for key, way in ways.items():
        if way["is_sampler"]:
            curves = [[value(row, int(n)) for n in trials] for row in way["studies"]]
            _draw(left, key, way["title"], trials, curves)
    last = max(way["seconds"]["median"] for key, way in ways.items() if key == "tpe" or not way["is_sampler"])
    moments = np.linspace(0, last, MOMENTS)
    for key, way in ways.items():
        if key == "tpe" or not way["is_sampler"]:
            curves = [
                [value(row, int(np.sum(np.array(row["seconds"]) <= at))) for at in moments] for row in way["studies"]
            ]
            title = "no pruner" if key == "tpe" else key
            _draw(right, key, title, moments, curves, ends=way["seconds"]["median"])
    for axes in (left, right):
        axes.axhline(report["target"], color=MARK, linestyle="--", linewidth=1)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper right")
    left.annotate(
        f"random, after {n_trials}",
        (0.99, report["target"]),
        (0, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color=MARK,
    )
    lowest, highest = _limits(report)
    left.set_ylim(lowest, highest)
    left.set(title="samplers, no pruner", xlabel="trials that ended", ylabel="best val/loss so far")
    right.set(title="pruners, with TPE", xlabel="seconds since the first trial's start")
    right.tick_params(labelleft=True)
    for axes in (left, right):
        axes.title.set_fontsize("medium")
    figure.suptitle(
        f"{settings['data']}, {n_trials} trials of at most {settings['epochs']} epochs, "
        f"medians and quartiles of {settings['seeds']} seeds",
        fontsize="medium",
    )
    return figure


def _draw(
    axes: Axes, key: str, title: str, x: np.ndarray, curves: Sequence[Sequence[float]], ends: float | None = None
) -> None:
    """A median with its band; after the median study's end it is not drawn, for it would look like work."""
    finite = np.where(np.isfinite(curves), curves, BEYOND)
    low, middle, high = np.quantile(finite, (0.25, 0.5, 0.75), axis=0)
    shown = (middle < BEYOND / 10) & (x <= (math.inf if ends is None else ends))
    axes.fill_between(x[shown], low[shown], high[shown], color=COLOURS[key], alpha=0.12, linewidth=0, step="post")
    axes.step(x[shown], middle[shown], where="post", color=COLOURS[key], label=title, linewidth=1.6)
    if ends is not None and shown.any():
        axes.plot(x[shown][-1], middle[shown][-1], "o", color=COLOURS[key], markersize=4)


def _limits(report: Mapping[str, Any]) -> tuple[float, float]:
    """From below the best to what the first trials reach: where the ways differ."""
    rows = [row for way in report["ways"].values() for row in way["studies"]]
    ends = [value(row, len(row["seconds"])) for row in rows]
    early = [value(row, max(1, len(row["seconds"]) // 12)) for row in rows]
    finite = [v for v in early if math.isfinite(v)]
    return 0.98 * min(ends), max(1.02 * float(np.quantile(finite, 0.75)), 1.05 * max(ends))


if __name__ == "__main__":
    main()
