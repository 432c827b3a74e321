"""Milliseconds a trial and step of training alone: the usual ways, ours, and the matrix products alone.

The same trials for all: batch 128, Adam with rate 1e-3, dropout 0.25 on hidden layers, l2 1e-4, validation after every
epoch. In each round every rival trains a short slice in processes of its own, one rival at a time, so that a busy
machine slows all. Start-up and the first epoch are not timed. Ends in about 12 minutes on two cores.

    python benchmarks/training.py --root FOLDER_OF_MNIST
    python benchmarks/training.py --quick
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import BUSY, describe_machine
from progress import Progress
from rivals import workloads
from rivals.crew import Crew, CrewFailed, Rival, Turn, cores
from rivals.files import make_store, write_splits
from rivals.table import lines, summarize
from rivals.workloads import WORKLOADS, Workload, quick

RIVALS = (
    Rival("a", "Lightning, DataLoader, MLflow", "usual"),
    Rival("a2", "as many of these as cores, one thread each", "usual", on_all_cores=True),
    Rival("a'", "Lightning, per-sample transforms", "samples", workloads=("mnist",)),
    Rival("b", "plain torch on tensors", "plain", {"fused": False}),
    Rival("b+", "plain torch, fused Adam, its weight_decay", "plain", {"fused": True, "l2_in": "optimizer"}),
    Rival("b2", "as many of these as cores, one thread each", "plain", {"fused": True, "l2_in": "optimizer"}, True),
    Rival("c", "Ridgeline: a stack a core, one thread each", "stacked", on_all_cores=True),
    Rival("d", "its matrix products alone", "products", on_all_cores=True),
)


def measure(
    workload: Workload, rivals: Sequence[Rival], rounds: int, folder: Path, options: dict[str, Any], progress: Progress
) -> dict[str, list[Turn]]:
    """The turns of each rival, one a round."""
    crews = [Crew(rival, workload, folder, options) for rival in rivals]
    progress.say(f"{workload.name}: starting {len(crews)} rivals")
    for crew in crews:
        crew.wait_until_ready()
    turns: dict[str, list[Turn]] = {rival.key: [] for rival in rivals}
    for number in range(rounds):
        for crew in crews:
            progress.say(f"{workload.name}, round {number + 1} of {rounds}: ({crew.rival.key}) {crew.rival.title}")
            turns[crew.rival.key].append(crew.run(seed=number))
    for crew in crews:
        crew.dismiss()
    return turns


def main() -> None:
    args = parse_arguments()
    chosen = [workload for workload in WORKLOADS if workload.name in args.workloads]
    if not Path(args.root).is_dir() and any(workload.data == "mnist" for workload in chosen):
        print(f"No MNIST in {args.root}: its workloads are skipped; give a folder of the four IDX files with --root.")
        chosen = [workload for workload in chosen if workload.data != "mnist"]
    if args.quick:
        chosen = [quick(workload) for workload in chosen]
    options = {"l2_in": args.l2_in, "threads": args.threads, "product_seconds": 0.5 if args.quick else 2.0}
    load = os.getloadavg()[0]
    progress = Progress()
    report: dict[str, Any] = {
        "machine": {**describe_machine(), "cores_used": cores(), "load_before": round(load, 2)},
        "settings": {
            "batch": workloads.BATCH,
            "evaluation_batch": workloads.EVALUATION_BATCH,
            "lr": workloads.LR,
            "dropout": workloads.DROPOUT,
            "l2": workloads.L2,
            "l2_in": args.l2_in,
            "threads_of_one_process": args.threads or "default",
            "rounds": args.rounds,
            "quick": args.quick,
        },
        "workloads": {},
    }
    tables = []
    with tempfile.TemporaryDirectory(prefix="ridgeline-rivals-") as name:
        folder = Path(name)
        progress.say("making the MLflow store")
        make_store(folder)
        for workload in chosen:
            write_splits(workload, args.root, folder)
            rivals = [rival for rival in RIVALS if workload.name in rival.workloads]
            try:
                turns = measure(workload, rivals, args.rounds, folder, options, progress)
            except CrewFailed as failure:
                sys.exit(f"{workload.name}: {failure}")
            report["workloads"][workload.name] = summary = summarize(workload, rivals, turns)
            tables.append("\n".join(lines(workload.name, summary)))
    progress.clear()
    machine = report["machine"]
    print(
        f"{machine['cpu']}, {machine['cores_used']} cores, {machine['memory_gib']} GiB, torch {machine['torch']}; "
        f"{args.rounds} round{'s' * (args.rounds > 1)}, the rivals' l2 in the {args.l2_in}"
        + (", QUICK: no figures to quote" * args.quick)
    )
    if load > BUSY * cores():
        print(
            f"WARNING: the load was {load:.1f} before the start; that slows the rivals with several threads the most."
        )
    for table in tables:
        print(f"\n{table}")
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=2) + "\n")
        print(f"\nwritten to {args.out.name}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0] if __doc__ else None,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument(
        "--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"), help="MNIST's files"
    )
    parser.add_argument("--rounds", type=int, help="slices of each rival; 5, or 1 with --quick", default=None)
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument(
        "--l2-in",
        choices=("optimizer", "loss"),
        default="optimizer",
        help="where (a), (a2), (a') and (b) have the penalty: Adam's weight_decay, or a term of the loss",
    )
    parser.add_argument("--threads", type=int, help="of (a), (a'), (b) and (b+); torch's default if not given")
    parser.add_argument("--quick", action="store_true", help="tiny slices, to see whether everything runs; not written")
    parser.add_argument(
        "--out", type=Path, default=None, help="the report as JSON; results/training.json unless --quick"
    )
    args = parser.parse_args()
    if args.rounds is None:
        args.rounds = 1 if args.quick else 5
    if args.rounds < 1:
        parser.error(f"`rounds >= 1` must hold, but got --rounds {args.rounds}.")
    if args.out is None and not args.quick:
        args.out = Path(__file__).parent / "results" / "training.json"
    return args


if __name__ == "__main__":
    main()
