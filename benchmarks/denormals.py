"""What numbers below 1e-38 cost: a network that a large penalty empties, with and without taking them as 0.

Seconds are of the CPU. Takes a minute or two.

    python benchmarks/denormals.py
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir

from machine import BUSY, describe_machine
from ridgeline.data import load_splits
from ridgeline.entry_points import ROOT, checked
from ridgeline.stack import fitting

EPOCHS, ROUNDS = 250, 2
SETTINGS = (
    "network.hidden=[256,256,256,256,256]",
    "regularization.l2=0.1",
    "callbacks=none",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.num_threads=1",
    "trainer.enable_progress_bar=false",
)


class Seconds(pl.Callback):
    """Of CPU time, of each epoch."""

    def on_train_start(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        self.epochs, self._last = list[float](), time.process_time()

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        now = time.process_time()
        self.epochs.append(now - self._last)
        self._last = now


def main() -> None:
    load = os.getloadavg()[0]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = checked(compose("config", overrides=list(SETTINGS)))
    splits, flushed = load_splits(config.data), fitting.no_denormals
    ways: dict[str, Any] = {"as 0": flushed, "kept": nullcontext}
    turns: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, context in ways.items():
            seconds = Seconds()
            fitting.no_denormals = context
            fitting.fit([config], splits, watchers=[seconds])
            turns[name].append(seconds.epochs)
    fitting.no_denormals = flushed
    worst = {name: statistics.median(max(epochs[1:]) for epochs in own) for name, own in turns.items()}
    usual = statistics.median(statistics.median(epochs[1:6]) for epochs in turns["as 0"])
    machine = describe_machine()
    result = {"machine": {**machine, "load_before": round(load, 2)}, "usual": usual, "slowest": worst, "turns": turns}
    path = Path(__file__).parent / "results" / "denormals.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{machine['cpu']}, torch {torch.__version__}; digits, 64-5x256-10, l2 0.1, medians of {ROUNDS} rounds")
    print(f"an epoch at first             {1000 * usual:8.1f} ms")
    for name, value in worst.items():
        print(f"the slowest, denormals {name:6} {1000 * value:8.1f} ms, {value / usual:5.1f} times")
    if load > BUSY:
        print(f"WARNING: the load was {load:.1f} before the start.", file=sys.stderr)


if __name__ == "__main__":
    main()
