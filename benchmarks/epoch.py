"""Seconds an epoch of one trial, against the same loop in plain torch on tensors; and the error it reaches.

MNIST, 784-128-256-64-10, batch 128, Adam, validation after each epoch. The two take turns, so that a busy machine slows
both. Writes benchmarks/results/epoch.json.

    python benchmarks/epoch.py --root FOLDER_OF_IDX_FILES
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from machine import describe_machine
from ridgeline.config import Config, parse
from ridgeline.data import Splits, load_splits
from ridgeline.stack.device import pick_device
from ridgeline.stack.fitting import fit

HIDDEN = [128, 256, 64]
BATCH = 128


def config(root: str | None, epochs: int, threads: int | None = None) -> Config:
    return parse(
        {
            "data": {"name": "mnist", "root": root, "train": 0.8, "validation": 0.2, "standardize": "none"},
            "network": {"name": "mlp", "hidden": HIDDEN},
            "optimizer": {"name": "adam", "lr": 1e-3},
            "trainer": {
                "max_epochs": epochs,
                "batch_size": BATCH,
                "num_threads": threads,
                "enable_progress_bar": False,
            },
        }
    )


def ours(trial: Config, splits: Splits) -> list[float]:
    """Seconds of each epoch but the first, which warms up."""
    ticks: list[float] = []
    fit([trial], splits, listener=lambda *_: ticks.append(time.perf_counter()))
    return [b - a for a, b in pairwise(ticks)]


def plain(trial: Config, splits: Splits, *, fused: bool) -> list[float]:
    """The same in a loop of twenty lines."""
    sizes = [splits.n_features, *HIDDEN, splits.n_classes]
    layers: list[nn.Module] = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        layers += [nn.Linear(n_in, n_out)] + ([nn.ReLU()] if i < len(HIDDEN) else [])
    network = nn.Sequential(*layers).to(splits.train.x_NI.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=trial.optimizer.lr, fused=fused)
    x_NI, y_N = splits.train.x_NI, splits.train.y_N
    seconds = []
    for epoch in range(trial.trainer.max_epochs):
        start = time.perf_counter()
        total, wrong = torch.zeros(()), torch.zeros(())
        for at in torch.randperm(len(y_N)).to(y_N.device).split(BATCH):
            logits = network(x_NI[at])
            loss = F.cross_entropy(logits, y_N[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach().cpu() * len(at)
            wrong += (logits.argmax(1) != y_N[at]).sum().cpu()
        with torch.no_grad():
            for x_BI, y_B in zip(splits.validation.x_NI.split(1024), splits.validation.y_N.split(1024), strict=True):
                F.cross_entropy(network(x_BI), y_B, reduction="sum")
        if epoch > 0:
            seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "epoch.json")
    args = parser.parse_args()
    if not Path(args.root).is_dir():
        sys.exit(f"No MNIST in {args.root}: give a folder of the four IDX files with --root.")
    trial, one_thread = config(args.root, epochs=3), config(args.root, epochs=3, threads=1)
    splits = load_splits(trial.data, pick_device(trial))
    table: dict[str, list[float]] = {
        "ridgeline": [],
        "ridgeline, one thread": [],
        "plain torch": [],
        "plain torch, fused Adam": [],
    }
    for number in range(args.rounds):
        table["ridgeline"] += ours(trial, splits)
        table["ridgeline, one thread"] += ours(one_thread, splits)
        table["plain torch"] += plain(trial, splits, fused=False)
        table["plain torch, fused Adam"] += plain(trial, splits, fused=True)
        print(f"round {number + 1}/{args.rounds} done", file=sys.stderr)
    (result,) = fit([config(args.root, epochs=10)], splits)
    medians = {name: statistics.median(seconds) for name, seconds in table.items()}
    machine = describe_machine()
    print(f"{machine['cpu']}, {machine['cores']} cores, GPU {machine['gpu']}, torch {machine['torch']}")
    print(f"{'seconds an epoch':<26}{'median':>8}{'min':>8}{'max':>8}   ridgeline takes")
    for name, seconds in table.items():
        ratio = medians["ridgeline"] / medians[name]
        print(f"{name:<26}{medians[name]:>8.2f}{min(seconds):>8.2f}{max(seconds):>8.2f}   {ratio:.2f} times as long")
    error, loss = result.history[-1]["val/error"], result.history[-1]["val/loss"]
    print(
        f"after 10 epochs: validation error {error:.2%}, loss {loss:.4f} (of {splits.description.examples.validation})"
    )
    report = {
        "machine": machine,
        "seconds_an_epoch": table,
        "median": medians,
        "ratio": {name: medians["ridgeline"] / median for name, median in medians.items()},
        "after_10_epochs": {"val_error": error, "val_loss": loss},
    }
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {args.out.name}")


if __name__ == "__main__":
    main()
