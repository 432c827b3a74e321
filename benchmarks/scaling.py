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
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from machine import BUSY, describe_machine, private_cache
from progress import Progress
from ridgeline.data import Split, Splits, load_splits
from ridgeline.stack.callbacks import Schedules
from ridgeline.stack.fitting import build_trainer, quiet_lightning
from ridgeline.stack.module import Stack
from ridgeline.stack.worker import keep_freed_memory
from rivals.crew import cores
from rivals.workloads import BATCH, Workload
from scaling_picture import draw
from scaling_table import EPOCHS_A_TRIAL, lines, summarize

BENCHMARKS = Path(__file__).resolve().parent
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


if __name__ == "__main__":
    main()
