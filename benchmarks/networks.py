"""Milliseconds a trial and step of three classes of networks: a Lightning Trainer a trial, plain torch, and ours.

A multilayer perceptron, a network of two convolutions on MNIST, and a residual network of Linears with BatchNorm. The
same trials for all: batch 128, Adam with rate 1e-3, l2 1e-4, validation after every epoch. In each round every rival
trains a short slice in processes of its own, one rival at a time, so that a busy machine slows all. Start-up and the
first epoch are not timed. Writes benchmarks/results/networks.json. Ends in about 10 minutes on two cores.

    python benchmarks/networks.py --root FOLDER_OF_MNIST
    python benchmarks/networks.py --quick
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import BUSY, describe_machine
from progress import Progress
from rivals.crew import Crew, CrewFailed, Rival, Turn, cores
from rivals.files import make_store, write_splits
from rivals.workloads import CHANNELS, WORKLOADS, Workload

OURS = "ours"
RIVALS = (
    Rival("lightning", "Lightning, a Trainer a trial", "usual"),
    Rival("lightning2", "as many of these as cores, one thread each", "usual", on_all_cores=True),
    Rival("torch", "plain torch on tensors, fused Adam", "plain", {"fused": True}),
    Rival("torch2", "as many of these as cores, one thread each", "plain", {"fused": True}, on_all_cores=True),
    Rival(OURS, "Ridgeline: a stack a core, one thread each", "stacked", on_all_cores=True),
)
DIGITS, MNIST = WORKLOADS[:2]
NETWORKS = {
    "MLP, digits, 64-128-128-10": DIGITS,
    "MLP, MNIST, 784-128-256-64-10": MNIST,
    f"CNN, MNIST, convolutions of {CHANNELS[0]} and {CHANNELS[1]} channels": Workload(
        "mnist-cnn", "mnist", (784, 10), 4, 2, 7500, full_epochs=10, full_train=48000, network="cnn"
    ),
    "residual MLP with BatchNorm, digits, 2 blocks of 128-256-128": Workload(
        "digits-residual", "digits", (64, 10), 8, 16, None, full_epochs=30, full_train=1078, network="residual"
    ),
}


def measure(workload: Workload, rounds: int, folder: Path, progress: Progress) -> dict[str, list[Turn]]:
    """The turns of each rival, one a round."""
    crews = [Crew(rival, workload, folder, {"l2_in": "optimizer", "threads": None}) for rival in RIVALS]
    progress.say(f"{workload.name}: starting {len(crews)} rivals")
    for crew in crews:
        crew.wait_until_ready()
    turns: dict[str, list[Turn]] = {crew.rival.key: [] for crew in crews}
    for number in range(rounds):
        for crew in crews:
            progress.say(f"{workload.name}, round {number + 1} of {rounds}: {crew.rival.title}")
            turns[crew.rival.key].append(crew.run(seed=number))
    for crew in crews:
        crew.dismiss()
    return turns


def summarize(turns: dict[str, list[Turn]]) -> dict[str, Any]:
    """Of each rival: medians of milliseconds and of the CPU's, and of what they are of ours in the same round."""
    ours = turns[OURS]
    return {
        rival.key: {
            "title": rival.title,
            "ms_a_trial_and_step": statistics.median(turn.ms for turn in turns[rival.key]),
            "cpu_ms_a_trial_and_step": statistics.median(turn.cpu_ms for turn in turns[rival.key]),
            "times_ours": statistics.median(a.ms / b.ms for a, b in zip(turns[rival.key], ours, strict=True)),
            "val_loss": statistics.median(turn.val_loss or float("nan") for turn in turns[rival.key]),
            "ms_of_each_round": [turn.ms for turn in turns[rival.key]],
        }
        for rival in RIVALS
    }


def lines(name: str, summary: dict[str, Any]) -> list[str]:
    """A table for people."""
    text = [f"{name}", f"{'':<46}{'ms':>8}{'CPU ms':>8}{'times ours':>12}{'val/loss':>10}"]
    for row in summary.values():
        text.append(
            f"  {row['title']:<44}{row['ms_a_trial_and_step']:>8.2f}{row['cpu_ms_a_trial_and_step']:>8.2f}"
            f"{row['times_ours']:>12.2f}{row['val_loss']:>10.4f}"
        )
    return text


def main() -> None:
    args = parse_arguments()
    networks = {name: each for name, each in NETWORKS.items() if each.name in args.workloads}
    if not Path(args.root).is_dir():
        print(f"No MNIST in {args.root}: its networks are skipped; give a folder of the four IDX files with --root.")
        networks = {name: each for name, each in networks.items() if each.data != "mnist"}
    if args.quick:
        networks = {name: dataclasses.replace(each, epochs=2) for name, each in networks.items()}
    load, progress = os.getloadavg()[0], Progress()
    report: dict[str, Any] = {
        "machine": {**describe_machine(), "cores_used": cores(), "load_before": round(load, 2)},
        "settings": {"rounds": args.rounds, "quick": args.quick},
        "networks": {},
    }
    with tempfile.TemporaryDirectory(prefix="ridgeline-networks-") as name:
        folder = Path(name)
        make_store(folder)
        for title, workload in networks.items():
            write_splits(workload, args.root, folder)
            try:
                report["networks"][title] = summarize(measure(workload, args.rounds, folder, progress))
            except CrewFailed as failure:
                sys.exit(f"{title}: {failure}")
    progress.clear()
    machine = report["machine"]
    print(f"{machine['cpu']}, {machine['cores_used']} cores, torch {machine['torch']}; {args.rounds} rounds")
    if load > BUSY * cores():
        print(f"WARNING: the load was {load:.1f} before the start.")
    for title, summary in report["networks"].items():
        print("\n" + "\n".join(lines(title, summary)))
    if args.out is not None:
        args.out.write_text(json.dumps(report, indent=2) + "\n")
        print(f"\nwritten to {args.out.name}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    names = [workload.name for workload in NETWORKS.values()]
    parser.add_argument("--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"))
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, help="5, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="tiny slices, to see whether all runs; not written")
    parser.add_argument("--out", type=Path, help="the report as JSON; results/networks.json unless --quick")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 5)
    if args.rounds < 1:
        parser.error(f"`rounds >= 1` must hold, but got --rounds {args.rounds}.")
    if not args.quick:
        args.out = args.out or Path(__file__).parent / "results" / "networks.json"
    return args


if __name__ == "__main__":
    main()
