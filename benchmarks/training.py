"""Milliseconds a trial and step of training alone: the usual ways, ours, and the products alone.

Multilayer perceptrons on digits and MNIST, and two networks as users write them: two convolutions (`network=cnn`), and
a residual network of Linears with BatchNorm (a class of one's own). The same trials for all: batch 128, Adam with rate
1e-3, dropout 0.25 on hidden layers (0.1 in the residual network), l2 1e-4, validation after every epoch. In each round
every rival trains a short slice in processes of its own, one rival at a time, so that a busy machine slows all.
Start-up and the first epoch are not timed. Ends in about 20 minutes on two cores, in one precision.

    python benchmarks/training.py --root FOLDER_OF_MNIST
    python benchmarks/training.py --precision 32-true bf16-mixed --rivals a a2 b2 b2cl c d
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
from rivals.crew import EXACT, ROUNDED, CrewFailed, Rival, cores
from rivals.files import make_store, write_splits
from rivals.rounds import Rounds
from rivals.table import OURS, PRODUCTS, lines, markdown, summarize
from rivals.workloads import WORKLOADS, Workload, quick

RIVALS = (
    Rival("a", "Lightning, DataLoader, MLflow", "usual"),
    Rival("a2", "as many of these as cores, one thread each", "usual", on_all_cores=True),
    Rival("a'", "Lightning, per-sample transforms", "samples", workloads=("mnist",)),
    Rival("b", "plain torch on tensors", "plain", {"fused": False}),
    Rival("b+", "plain torch, fused Adam, its weight_decay", "plain", {"fused": True, "l2_in": "optimizer"}),
    Rival("b2", "as many of these as cores, one thread each", "plain", {"fused": True, "l2_in": "optimizer"}, True),
    Rival(
        *("b2cl", "the same, their images with channels last", "plain"),
        {"fused": True, "l2_in": "optimizer", "channels_last": True},
        on_all_cores=True,
        workloads=("mnist-cnn",),
    ),
    Rival("c", "Ridgeline: a stack a core, one thread each", "stacked", on_all_cores=True, fills_gpu=True),
    Rival("d", "its products alone", "products", on_all_cores=True, fills_gpu=True),
)
IN_ANY_PRECISION = ("b2", "b2cl", OURS, PRODUCTS)
"""The others are in float32 always."""


def rivals_of(workload: Workload, keys: Sequence[str], precisions: Sequence[str]) -> list[Rival]:
    """Those of these keys that can train the workload; plain torch in float32 too, whatever the precisions are."""
    found: dict[str, Rival] = {}
    for rival in RIVALS:
        if rival.key not in keys or (rival.workloads and workload.name not in rival.workloads):
            continue
        own = precisions if rival.key in IN_ANY_PRECISION else (EXACT,)
        own = own if rival.key in (OURS, PRODUCTS) else dict.fromkeys((EXACT, *own))
        found |= {each.key: each for each in map(rival.rounded_to, own)}
    return list(found.values())


def main() -> None:
    args = parse_arguments()
    chosen = [workload for workload in WORKLOADS if workload.name in args.workloads]
    if not Path(args.root).is_dir() and any(workload.data == "mnist" for workload in chosen):
        print(f"No MNIST in {args.root}: its workloads are skipped; give a folder of the four IDX files with --root.")
        chosen = [workload for workload in chosen if workload.data != "mnist"]
    if args.quick:
        chosen = [quick(workload) for workload in chosen]
    options = {"l2_in": args.l2_in, "threads": args.threads, "device": args.device}
    options["product_seconds"] = 0.5 if args.quick else 2.0
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
            "device": args.device,
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
        rounds = Rounds(folder, options, progress)
        for workload in chosen:
            write_splits(workload, args.root, folder)
            rivals = rivals_of(workload, args.rivals, args.precision)
            try:
                turns = rounds.measure(workload, rivals, args.rounds)
            except CrewFailed as failure:
                sys.exit(f"{workload.name}: {failure}")
            k = workload.k if args.device == "cpu" else workload.k_on_gpu
            report["workloads"][workload.name] = summary = summarize(workload, k, rivals, turns)
            tables.append("\n".join(lines(workload.name, summary)))
        rounds.dismiss()
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
    print("\n" + "\n".join(markdown(report["workloads"])))
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
    keys = [rival.key for rival in RIVALS]
    parser.add_argument("--rivals", nargs="+", choices=keys, default=keys, metavar="KEY", help="beside ours: c and d")
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=(EXACT, ROUNDED),
        default=[EXACT],
        help="of ours, of its products, and of as many processes of plain torch as cores",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="on which all of them train")
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
    args.rivals = [*args.rivals, OURS, PRODUCTS]
    args.precision = list(dict.fromkeys(args.precision))
    if args.out is None and not args.quick:
        args.out = Path(__file__).parent / "results" / "training.json"
    return args


if __name__ == "__main__":
    main()
