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
import os
import time
from pathlib import Path
from typing import Any

from inprocess import Ended, Studies, studies
from machine import BUSY, describe_machine
from progress import Progress
from rivals.crew import cores
from search_quality_extras import ask_at, retrain
from search_quality_picture import draw
from search_quality_table import WAYS, best_so_far, lines, summarize

BENCHMARKS = Path(__file__).resolve().parent
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


if __name__ == "__main__":
    main()
