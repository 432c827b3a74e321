"""Milliseconds a trial and step of `network=cnn` on a folder of colour images: the usual ways, and ours.

PNG files of 32 x 32 pixels in ten classes; two convolutions of 16 and 32 channels, each with pooling, and a dense layer
of 128. The same trials for all: batch 128, Adam with rate 1e-3, dropout 0.25 before the last layer, l2 1e-4, validation
after every epoch. In each round every rival trains a short slice in processes of its own, one rival at a time, so that
a busy machine slows all. Start-up and the first epoch are not timed. Ends in about 4 minutes on two quiet cores.

    python benchmarks/cnn.py
    python benchmarks/cnn.py --quick
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import torch

from machine import BUSY, describe_machine
from progress import Progress
from ridgeline.data import load_splits
from rivals.crew import CrewFailed, Rival, cores
from rivals.files import make_store
from rivals.images import CLASSES, SIDE, OfImages, write_images
from rivals.rounds import Rounds

OURS = "ours"
ASKED = {"folder": 6.0, "memory": 2.5}
"""How many times our time each of the usual ways should take at least."""

RIVALS = (
    Rival("folder", "Lightning, each image decoded each time", "images", {"decoded": "each time"}),
    Rival("memory", "Lightning, the images in memory", "images", {"decoded": "once"}),
    Rival("memory2", "as many of these as cores, one thread each", "images", {"decoded": "once"}, on_all_cores=True),
    Rival(OURS, "Ridgeline: a stack a core, one thread each", "stacked", on_all_cores=True),
)
SIZES = (3 * SIDE * SIDE, CLASSES)
WORKLOAD = OfImages("images", "images", SIZES, 4, 3, None, full_epochs=10, full_train=3000, network="cnn", channels=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="slices of each rival; 5")
    parser.add_argument("--quick", action="store_true", help="one tiny slice each, to see whether everything runs")
    args = parser.parse_args()
    load, progress = os.getloadavg()[0], Progress()
    with tempfile.TemporaryDirectory(prefix="ridgeline-cnn-") as name:
        folder = Path(name)
        progress.say("writing the images, and making the MLflow store")
        write_images(folder / "images", 800 if args.quick else 4000)
        make_store(folder)
        splits = load_splits(WORKLOAD.config(root=str(folder / "images")).data)
        torch.save(splits, folder / f"{WORKLOAD.name}.pt")
        rounds = Rounds(folder, {"l2_in": "optimizer", "threads": None}, progress)
        try:
            turns = rounds.measure(WORKLOAD, RIVALS, 1 if args.quick else args.rounds)
        except CrewFailed as failure:
            sys.exit(str(failure))
        rounds.dismiss()
    progress.clear()
    machine = describe_machine()
    print(f"{machine['cpu']}, {cores()} cores, torch {machine['torch']}; {len(splits.train.y_N)} images train")
    if load > BUSY * cores():
        print(f"WARNING: the load was {load:.1f} before the start.")
    print(f"{'':<46}{'ms':>8}{'CPU ms':>8}{'times ours':>12}{'val/loss':>10}")
    for rival in RIVALS:
        own = turns[rival.key]
        times = statistics.median(a.ms / b.ms for a, b in zip(own, turns[OURS], strict=True))
        ms, cpu_ms = (statistics.median(getattr(turn, name) for turn in own) for name in ("ms", "cpu_ms"))
        asked = f"  (at least {ASKED[rival.key]:g} is asked)" if rival.key in ASKED else ""
        loss = statistics.median(turn.val_loss or float("nan") for turn in own)
        print(f"  {rival.title:<44}{ms:>8.2f}{cpu_ms:>8.2f}{times:>12.2f}{loss:>10.4f}{asked}")


if __name__ == "__main__":
    main()
