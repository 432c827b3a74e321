"""Workers that Ray places on this machine: how long they take to start, and two of them against one and against ours.

A stack of 8 fits a worker: 2 x 256 units on the bundled digits, so that nothing is downloaded. Start:
from the making of the workers to their first epoch, the local cluster included; then epochs a second of all workers.
In each round the ways take turns. Takes about 3 minutes on two cores. Needs the extra `ray`.

    python benchmarks/ray_workers.py
    python benchmarks/ray_workers.py --quick
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from machine import BUSY, describe_machine
from progress import Progress
from ridgeline.config import Config, parse
from ridgeline.stack.messages import Epoch
from ridgeline.stack.pool import Pool
from ridgeline.stack.ray_pool import RayPool
from ridgeline.stack.workers import Workers
from rivals.crew import cores

WAYS = {"one local worker": (Pool, 1), "two local workers": (Pool, 2)}
RAY_WAYS = {"one Ray worker": (RayPool, 1), "two Ray workers": (RayPool, 2)}
FITS = 8
LONG_ENOUGH = 10**6


def config(seed: int) -> Config:
    return parse(
        {
            "data": {"name": "digits"},
            "network": {"name": "mlp", "hidden": [256, 256]},
            "optimizer": {"name": "adam", "lr": 1e-3},
            "trainer": {"max_epochs": LONG_ENOUGH, "batch_size": 128, "enable_progress_bar": False},
            "seed": seed,
        }
    )


def measure(kind: type[Workers], n: int, seconds: float) -> dict[str, float]:
    """Seconds until every worker has trained an epoch, then epochs a second of all of them together."""
    started = time.monotonic()
    with kind(n) as workers:
        for worker in range(n):
            workers.begin(worker, {fit: config(fit) for fit in range(worker * FITS, (worker + 1) * FITS)})
        heard: set[int] = set()
        while len(heard) < n:
            heard |= {worker for worker, message in workers.receive() if isinstance(message, Epoch)}
        first = time.monotonic()
        epochs = 0
        while time.monotonic() < first + seconds:
            epochs += len(workers.receive())
        rate = epochs / (time.monotonic() - first)
    return {"seconds_to_first_epoch": first - started, "stack_epochs_a_second": rate}


def main() -> None:
    args = parse_arguments()
    load = os.getloadavg()[0]
    ways, progress = {**WAYS, **RAY_WAYS}, Progress()
    turns: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(args.rounds):
        for way, (kind, n) in ways.items():
            progress.say(f"round {number + 1} of {args.rounds}: {way}")
            turns[way].append(measure(kind, n, args.seconds))
    progress.clear()
    names = ("seconds_to_first_epoch", "stack_epochs_a_second")
    summary = {way: {name: statistics.median(turn[name] for turn in turns[way]) for name in names} for way in ways}
    ratios = {
        f"{two} / {one}": statistics.median(
            a["stack_epochs_a_second"] / b["stack_epochs_a_second"] for a, b in zip(turns[two], turns[one], strict=True)
        )
        for two, one in (
            ("two local workers", "one local worker"),
            ("two Ray workers", "one Ray worker"),
            ("two Ray workers", "two local workers"),
        )
    }
    machine = {**describe_machine(), "cores_used": cores(), "load_before": round(load, 2)}
    print(f"{machine['cpu']}, {machine['cores_used']} cores; medians of {args.rounds}" + ", QUICK" * args.quick)
    if load > BUSY * cores():
        print(f"WARNING: the load was {load:.1f} before the start.")
    for way, found in summary.items():
        print(f"{way:18} {found[names[0]]:6.1f} s to the first epoch {found[names[1]]:8.2f} epochs of a stack a second")
    for name, ratio in ratios.items():
        print(f"{name:40} {ratio:.2f}")
    if args.out is not None:
        settings = {"rounds": args.rounds, "seconds": args.seconds, "fits_a_stack": FITS, "quick": args.quick}
        report = {"machine": machine, "settings": settings, "ways": summary, "ratios": ratios, "turns": turns}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=2) + "\n")
        print(f"\nwritten to {args.out.name}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, help="3, or 1 with --quick")
    parser.add_argument("--seconds", type=float, help="of training a turn: 10, or 3 with --quick")
    parser.add_argument("--quick", action="store_true", help="to see whether all runs; not written")
    parser.add_argument("--out", type=Path, help="the report as JSON; results/ray_workers.json unless --quick")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.seconds = args.seconds or (3 if args.quick else 10)
    if args.out is None and not args.quick:
        args.out = Path(__file__).resolve().parent / "results" / "ray_workers.json"
    return args


if __name__ == "__main__":
    main()
