"""Time to the loss that 64 random trials reach: our stack with TPE and a pruner, and a script as usual without one.

Each is a real command with a fresh folder: the study of `make sweep`, of 128 trials at most; the script ends with the
trial that reaches the target, our study goes on and is read at the moment when one did. A round has a seed of its own,
of sampler and fits, and so a target of its own: what 64 random trials with that seed reach in the stack.
Takes about 8 minutes on two cores.

    python benchmarks/time_to_target.py
    python benchmarks/time_to_target.py --quick
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endtoend import BENCHMARKS, EPOCHS, PROJECT, QUICK_EPOCHS, QUIET
from inprocess import best_so_far, read_trials, seconds_of
from machine import BUSY, describe_machine
from processes import CommandFailed, watch
from progress import Progress
from rivals.crew import cores

PRUNERS = ("none", "median", "asha", "hyperband", "patient")


def run(options: list[str], cwd: Path, folder_option: str) -> Turn:
    with tempfile.TemporaryDirectory(prefix="ridgeline-target-") as name:
        folder = Path(name)
        watched = watch([sys.executable, *options, f"{folder_option}={folder}"], folder / "output.txt", cwd, QUIET)
        trials = read_trials(folder)
    seconds = seconds_of(trials)
    return Turn(best_so_far(trials), seconds, watched.seconds - seconds[-1])


def run_stack(search: list[str], seed: int, trials: int, epochs: int) -> Turn:
    limits = [f"search.n_trials={trials}", f"trainer.max_epochs={epochs}", f"seed={seed}", f"search.seed={seed}"]
    return run(["pipelines/train.py", "-m", *search, *limits], PROJECT, "runs")


def run_script(target: float, seed: int, trials: int, epochs: int) -> Turn:
    options = [f"--n-trials={trials}", f"--epochs={epochs}", f"--seed={seed}", f"--target={target!r}"]
    return run(["-m", "rivals.script", *options], BENCHMARKS, "--folder")


def main() -> None:
    args = parse_arguments()
    epochs = QUICK_EPOCHS if args.quick else EPOCHS
    load = os.getloadavg()[0]
    progress = Progress()
    ours, script = list[Turn](), list[Turn]()
    targets = list[float]()
    try:
        for seed in range(args.seeds):
            progress.say(f"round {seed + 1} of {args.seeds}: {args.random_trials} random trials")
            target = run_stack(["search=random"], seed, args.random_trials, epochs).best[-1]
            assert target is not None
            targets.append(target)
            progress.say(f"round {seed + 1} of {args.seeds}: the stack, to {target:.4f}")
            ours.append(run_stack(["search=bayes", f"search/pruner={args.pruner}"], seed, args.trials, epochs))
            progress.say(f"round {seed + 1} of {args.seeds}: the script, about {1.1 * args.trials:.0f} s at most")
            script.append(run_script(target, seed, args.trials, epochs))
    except CommandFailed as failure:
        sys.exit(str(failure))
    progress.clear()
    ways = {
        "stack": summarize(f"Ridgeline, TPE, pruner {args.pruner}", ours, targets),
        "script": summarize("Optuna, a Lightning Trainer a trial, MLflow", script, targets),
    }
    stack = ways["stack"]["seconds_to_target"]
    ratio = ways["script"]["seconds_at_least"] / stack if stack else None
    is_exact = ways["script"]["seconds_to_target"] is not None
    machine = {**describe_machine(), "cores_used": cores(), "load_before": round(load, 2)}
    settings = {"seeds": args.seeds, "random_trials": args.random_trials, "trials": args.trials}
    settings |= {"max_epochs": epochs, "pruner": args.pruner}
    report = {
        "machine": machine,
        "settings": {**settings, "quick": args.quick},
        "targets": targets,
        "ratio_of_medians": ratio,
        "ratio_is_a_lower_bound": not is_exact,
        "ways": ways,
    }
    print(
        f"{machine['cpu']}, {machine['cores_used']} cores, {machine['memory_gib']} GiB, torch {machine['torch']}; "
        f"medians of {args.seeds}; the targets are {', '.join(f'{t:.4f}' for t in targets)}"
        + ", QUICK: no figures to quote"
        * args.quick
    )
    if load > BUSY * cores():
        print(f"WARNING: the load was {load:.1f} before the start.")
    print(f"{'':<46}{'reached':>9}{'seconds to target':>19}{'with start-up':>15}")
    for row in ways.values():
        cells = [row["seconds_to_target"], row["seconds_to_target_with_start_up"]]
        shown = ["not reached" if cell is None else f"{cell:.1f}" for cell in cells]
        print(f"{row['title']:<46}{row['reached']:>5} / {args.seeds}{shown[0]:>19}{shown[1]:>15}")
    print("No ratio." if ratio is None else f"Ratio of medians: {'' if is_exact else 'at least '}{ratio:.1f}")
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, help="rounds; 3, or 1 with --quick")
    parser.add_argument("--trials", type=int, help="of a study at most; 128, or 6 with --quick")
    parser.add_argument("--random-trials", type=int, help="whose best is the target; 64, or 6 with --quick")
    parser.add_argument("--pruner", choices=PRUNERS, default="hyperband", help="of the stack: the best one measured")
    parser.add_argument("--quick", action="store_true", help="few short trials, to see whether all runs; not written")
    parser.add_argument("--out", type=Path, help="the report as JSON; results/time_to_target.json unless --quick")
    args = parser.parse_args()
    for name, (full, quick) in {"seeds": (3, 1), "trials": (128, 6), "random_trials": (64, 6)}.items():
        if getattr(args, name) is None:
            setattr(args, name, quick if args.quick else full)
        if getattr(args, name) < 1:
            parser.error(f"`{name} >= 1` must hold, but got {getattr(args, name)}.")
    if args.out is None and not args.quick:
        args.out = BENCHMARKS / "results" / "time_to_target.json"
    return args


@dataclass(frozen=True)
class Turn:
    """A study: the best so far and the seconds since the first trial's start, at each trial's end; start-up apart."""

    best: list[float | None]
    seconds: list[float]
    start_up: float

    def to_reach(self, target: float) -> float:
        """Seconds, without start-up; infinite if it never did."""
        pairs = zip(self.best, self.seconds, strict=True)
        return next((at for best, at in pairs if best is not None and best <= target), math.inf)


def summarize(title: str, turns: list[Turn], targets: list[float]) -> dict[str, Any]:
    """None where less than half of the studies reached the target."""
    reached = [turn.to_reach(target) for turn, target in zip(turns, targets, strict=True)]
    whole = [seconds + turn.start_up for seconds, turn in zip(reached, turns, strict=True)]
    return {
        "title": title,
        "reached": sum(math.isfinite(seconds) for seconds in reached),
        "seconds_to_target": _finite(statistics.median(reached)),
        "seconds_to_target_with_start_up": _finite(statistics.median(whole)),
        "seconds_at_least": statistics.median(min(s, turn.seconds[-1]) for s, turn in zip(reached, turns, strict=True)),
        "rounds": [
            {"to_target": _finite(s), "start_up": turn.start_up, "best_so_far": turn.best, "seconds": turn.seconds}
            for s, turn in zip(reached, turns, strict=True)
        ],
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


if __name__ == "__main__":
    main()
