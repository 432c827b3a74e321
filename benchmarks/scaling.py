"""Trials an hour of one stack, by K, the network's width and the number of examples; and where a larger K stops paying.

One process with one thread, as a worker of the launcher; batch 128, Adam, dropout 0.25, l2, validation after every
epoch; a trial has 30 epochs. Search and tracking are not in it. Timed after a short training that warms up; the rounds
go through all lines and K in turns. Writes benchmarks/results/scaling.json and docs/images/trials_an_hour.png.

    python benchmarks/scaling.py --root FOLDER_OF_MNIST
    python benchmarks/scaling.py --quick
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from machine import BUSY, describe_machine, private_cache
from progress import Progress
from ridgeline.data import Split, Splits, load_splits
from ridgeline.report.axes import DPI, log_axis
from ridgeline.stack.callbacks import Schedules
from ridgeline.stack.fitting import build_trainer, quiet_lightning
from ridgeline.stack.module import Stack
from ridgeline.stack.sizing import fitting_stack_size
from ridgeline.stack.worker import keep_freed_memory
from rivals.crew import cores
from rivals.workloads import BATCH, Workload

BENCHMARKS = Path(__file__).resolve().parent
EPOCHS_A_TRIAL = 30
PAYS = 0.05
"""The share that twice the K has to gain."""
COLOURS = ("#1f77b4", "#2ca02c", "#d62728")
GREY = "#444444"
MARKS: dict[str, dict[str, Any]] = {
    "k_that_fills_the_private_cache": {
        "marker": "|",
        "markersize": 16,
        "markeredgewidth": 2,
        "label": "a step fills the core's own cache (no mark: one fit alone does)",
    },
    "k_by_default": {"marker": "s", "markersize": 6, "label": "K that the launcher chooses at most"},
    "stops_paying_at_k": {
        "marker": "o",
        "markersize": 11,
        "fillstyle": "none",
        "label": "stops paying: no larger K gains 5% a doubling",
    },
}
PANELS = {"digits": "digits, 64-h-h-10, 1078 examples", "mnist": "MNIST, 784-128-10, n examples"}
SIZES = (1, 2, 4, 8, 16, 32, 64)
WORKLOADS = (
    *(Workload(f"h = {h}", "digits", (64, h, h, 10), 1, 1, None, EPOCHS_A_TRIAL, 1078) for h in (32, 128, 512)),
    *(
        Workload(f"n = {n}", "mnist", (784, 128, 10), 1, 1, n * 5 // 4, EPOCHS_A_TRIAL, n)  # and n / 4 validate
        for n in (1000, 5000, 20000)
    ),
)


class Clock(pl.Callback):
    """Seconds from the first step to the last validation."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = -time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds += time.perf_counter()


def seconds_an_epoch(workload: Workload, splits: Splits, k: int, trial_steps: int) -> float:
    """Of a stack of K fits, over as many epochs as have about `trial_steps` steps of a trial."""
    steps = -(-len(splits.train.y_N) // BATCH)
    epochs = max(1, round(trial_steps / (k * steps)))
    first = replace(splits, train=Split(splits.train.x_NI[: 3 * BATCH], splits.train.y_N[: 3 * BATCH]))
    _train(workload, first, k, 1)
    return _train(workload, splits, k, epochs) / epochs


def _train(workload: Workload, splits: Splits, k: int, epochs: int) -> float:
    workload = replace(workload, epochs=epochs)
    clock = Clock()
    with quiet_lightning():
        stack = Stack([workload.config(root=None, seed=seed) for seed in range(k)], splits)
        build_trainer(stack, [Schedules(), clock], max_epochs=epochs).fit(stack)
    return clock.seconds


def main() -> None:
    args = parse_arguments()
    workloads = [w for w in WORKLOADS if w.data != "mnist" or Path(args.root).is_dir()]
    if len(workloads) < len(WORKLOADS):
        print(f"No MNIST in {args.root}: its lines are skipped; give a folder of the four IDX files with --root.")
    sizes = SIZES[:3] if args.quick else SIZES
    torch.set_num_threads(1)
    keep_freed_memory()
    load = os.getloadavg()[0]
    progress = Progress()
    splits = {w.name: load_splits(w.config(root=args.root).data) for w in workloads}
    seconds: dict[str, list[list[float]]] = {w.name: [] for w in workloads}
    for number in range(args.rounds):
        for workload in workloads:
            progress.say(f"round {number + 1} of {args.rounds}: {workload.data}, {workload.name}")
            steps = 20 if args.quick else 250
            row = [seconds_an_epoch(workload, splits[workload.name], k, steps) for k in sizes]
            seconds[workload.name].append(row)
    progress.clear()
    cache = private_cache()
    report: dict[str, Any] = {
        "machine": {**describe_machine(), "private_cache_bytes": cache, "load_before": round(load, 2)},
        "settings": {"batch": BATCH, "epochs_a_trial": EPOCHS_A_TRIAL, "rounds": args.rounds, "quick": args.quick},
        "lines": {w.name: summarize(w, args.root, sizes, seconds[w.name], cache) for w in workloads},
    }
    print(
        f"{report['machine']['cpu']}, one thread, {f'{cache / 2**20:g} MiB' if cache else 'unknown'} of private cache, "
        f"torch {torch.__version__}; medians of {args.rounds}" + ", QUICK: no figures to quote" * args.quick
    )
    if load > BUSY * cores():
        print(f"WARNING: the load was {load:.1f} before the start.")
    print("\n".join(lines(report["lines"])))
    if args.out is not None:
        args.out.write_text(json.dumps(report, indent=2) + "\n")
    if args.picture is not None:
        draw(report).savefig(args.picture)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument(
        "--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"), help="MNIST's files"
    )
    parser.add_argument("--rounds", type=int, help="3, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="K up to 4, short, to see whether all runs; not written")
    parser.add_argument("--out", type=Path, help="the report as JSON; results/scaling.json unless --quick")
    parser.add_argument("--picture", type=Path, help="docs/images/trials_an_hour.png unless --quick")
    args = parser.parse_args()
    if args.rounds is None:
        args.rounds = 1 if args.quick else 3
    if args.rounds < 1:
        parser.error(f"`rounds >= 1` must hold, but got --rounds {args.rounds}.")
    if not args.quick:
        args.out = args.out or BENCHMARKS / "results" / "scaling.json"
        args.picture = args.picture or BENCHMARKS.parent / "docs" / "images" / "trials_an_hour.png"
    return args


def summarize(
    workload: Workload, root: str, sizes: Sequence[int], seconds: Sequence[Sequence[float]], cache: int | None
) -> dict[str, Any]:
    """One line of the picture. `seconds`: an epoch of a stack, a row a round, a column a K. `cache`: bytes."""
    an_hour = [3600 * k / (EPOCHS_A_TRIAL * statistics.median(row[i] for row in seconds)) for i, k in enumerate(sizes)]
    of_fit = bytes_of_fit(workload.sizes)
    return {
        "data": workload.data,
        "network": list(workload.sizes),
        "train_examples": workload.full_train,
        "k": list(sizes),
        "trials_an_hour": an_hour,
        "stops_paying_at_k": stop_paying(sizes, seconds),
        "bytes_of_a_fit": of_fit,
        "k_that_fills_the_private_cache": cache / of_fit if cache else None,
        "k_by_default": fitting_stack_size(workload.config(root=root), workers=1),
        "seconds_an_epoch_of_the_stack": {k: [row[i] for row in seconds] for i, k in enumerate(sizes)},
    }


def stop_paying(sizes: Sequence[int], seconds: Sequence[Sequence[float]]) -> int | None:
    """The smallest K from which on no larger one gains PAYS a doubling; None if even the largest still does."""

    def pays(i: int, j: int) -> bool:
        times = sizes[j] / sizes[i]
        # of turns in the same round, so that a busy machine slows both
        gained = statistics.median(times * row[i] / row[j] for row in seconds)
        return gained >= (1 + PAYS) ** math.log2(times)

    last = len(sizes) - 1
    return next((sizes[i] for i in range(last) if not any(pays(i, j) for j in range(i + 1, last + 1))), None)


def bytes_of_fit(sizes: Sequence[int]) -> int:
    """What a step of one fit touches, counted as in ridgeline.stack.sizing."""
    parameters = sum(i * o + o for i, o in pairwise(sizes))
    return 4 * (4 * parameters + 4 * BATCH * sum(sizes))


def lines(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table for people."""
    sizes = next(iter(summaries.values()))["k"]
    text = [
        f"{'':<40}{'trials an hour at K =':<{9 * len(sizes)}}{'stops':>9}{'fills the':>11}{'K by':>9}",
        f"{'':<40}{''.join(f'{k:>9}' for k in sizes)}{'paying':>9}{'cache at':>11}{'default':>9}",
    ]
    for name, line in summaries.items():
        rates = "".join(f"{rate:>9.0f}" for rate in line["trials_an_hour"])
        fills, stops = line["k_that_fills_the_private_cache"], line["stops_paying_at_k"]
        network = "-".join(str(size) for size in line["network"])
        text.append(
            f"{line['data']:<8}{name:<17}{network:<15}{rates}{f'at {stops}' if stops else '-':>9}"
            f"{f'{fills:.1f}' if fills else '-':>11}{line['k_by_default']:>9}"
        )
    return [*text, f"Stops paying: from that K on, none gains {PAYS:.0%} a doubling."]


def draw(report: Mapping[str, Any]) -> Figure:
    """A panel for each data set."""
    panels = [data for data in PANELS if any(line["data"] == data for line in report["lines"].values())]
    figure = Figure(figsize=(4.8 * len(panels), 4.2), dpi=DPI, layout="constrained")
    for axes, data in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        lines = {name: line for name, line in report["lines"].items() if line["data"] == data}
        for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
            _draw_line(axes, colour, name, line)
        sizes = next(iter(lines.values()))["k"]
        log_axis(axes, "y")
        axes.set_xscale("log", base=2)
        axes.set_xlim(0.85 * sizes[0], 3 * sizes[-1])  # room for the lines' names
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set(title=PANELS[data], xlabel="K, trials in the stack", ylabel="trials an hour, one core")
        axes.title.set_fontsize("medium")
        axes.grid(alpha=0.3)
    figure.legend(
        handles=[Line2D([], [], color=GREY, linestyle="none", **style) for style in MARKS.values()],
        loc="outside lower center",
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    return figure


def _draw_line(axes: Axes, colour: str, name: str, line: Mapping[str, Any]) -> None:
    sizes, rates = line["k"], line["trials_an_hour"]
    axes.plot(sizes, rates, color=colour, marker="o", markersize=3)
    axes.annotate(
        name, (sizes[-1], rates[-1]), (7, 0), textcoords="offset points", va="center", fontsize="small", color=colour
    )
    for key, style in MARKS.items():
        k = line[key]
        if k is not None and sizes[0] <= k <= sizes[-1]:
            rate = np.exp(np.interp(np.log(k), np.log(sizes), np.log(rates)))
            axes.plot([k], [rate], color=colour, linestyle="none", **style)


if __name__ == "__main__":
    main()
