"""The study of `make sweep`, from the command to its end: our stack, Hydra's basic launcher, and a script as usual.

Each is a real command with a fresh folder, so start-up includes the imports and the making of the MLflow store. The
slow two train fewer trials; `with start-up` counts as many trials for them as for the stack. In each round the ways
take turns. Takes about 4 minutes on two cores.

    python benchmarks/endtoend.py
    python benchmarks/endtoend.py --quick
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journal import Journal, read_journal
from machine import BUSY, describe_machine
from processes import CommandFailed, Watched, watch
from progress import Progress
from rivals.crew import cores

BENCHMARKS = Path(__file__).resolve().parent
PROJECT = BENCHMARKS.parent
OURS = "stack"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
EPOCHS = 30
QUICK_EPOCHS = 3


@dataclass(frozen=True)
class Way:
    """A way to run the study, and of how many trials."""

    key: str
    title: str
    trials: int

    def command(self, folder: Path, epochs: int) -> tuple[list[str], Path]:
        """What to run, and where."""
        if self.key == "script":
            options = [f"--folder={folder}", f"--n-trials={self.trials}", f"--epochs={epochs}"]
            return [sys.executable, "-m", "rivals.script", *options], BENCHMARKS
        options = [f"runs={folder}", f"search.n_trials={self.trials}", f"trainer.max_epochs={epochs}"]
        launcher = f"hydra/launcher={self.key}"
        return [sys.executable, "pipelines/train.py", "-m", "search=bayes", launcher, *options], PROJECT


def run(way: Way, epochs: int) -> tuple[Watched, Journal]:
    with tempfile.TemporaryDirectory(prefix="ridgeline-endtoend-") as name:
        folder = Path(name)
        command, cwd = way.command(folder, epochs)
        return watch(command, folder / "output.txt", cwd, QUIET), read_journal(folder)


def measure(watched: Watched, journal: Journal) -> dict[str, float]:
    """Of one turn: seconds, of the whole command and of its trials, and what its processes did meanwhile."""
    trials, study = journal.trials, journal.end - journal.start
    start_up = watched.seconds - study
    turn = {
        "trials": trials,
        "seconds": watched.seconds,
        "seconds_start_up": start_up,
        "seconds_a_trial": study / trials,
        "seconds_a_trial_with_start_up": watched.seconds / trials,
        "epochs_a_trial": journal.epochs,
        "best": journal.best,
        "main_cpu_ms_a_trial": 1e3 * watched.own_cpu(journal.start, journal.end) / trials,
    }
    if journal.workers is not None:
        trained = journal.workers * (journal.end - journal.first_epoch)
        turn["training_waits"] = journal.idle / trained
        turn["training_is_off_the_cores"] = 1 - watched.children_cpu(journal.first_epoch, journal.end) / trained
        turn["seconds_to_first_epoch"] = journal.first_epoch - journal.start
        turn["workers"] = journal.workers
    return turn


def main() -> None:
    args = parse_arguments()
    ways = [
        Way("stack", "Ridgeline, hydra/launcher=stack", args.trials),
        Way("basic", "Ridgeline, hydra/launcher=basic", args.basic_trials),
        Way("script", "Optuna, a Lightning Trainer a trial, MLflow", args.script_trials),
    ]
    epochs = QUICK_EPOCHS if args.quick else EPOCHS
    load = os.getloadavg()[0]
    progress = Progress()
    turns: dict[str, list[dict[str, float]]] = {way.key: [] for way in ways}
    spaces = {}
    for number in range(args.rounds):
        for way in ways:
            progress.say(f"round {number + 1} of {args.rounds}: {way.trials} trials, {way.title}")
            try:
                watched, journal = run(way, epochs)
            except (CommandFailed, ValueError) as failure:
                sys.exit(f"{way.title}: {failure}")
            turns[way.key].append(measure(watched, journal))
            spaces[way.key] = journal.space
    progress.clear()
    if any(space != spaces["stack"] for space in spaces.values()):
        sys.exit(f"The ways search different spaces: {spaces}")
    machine = {**describe_machine(), "cores_used": cores(), "load_before": round(load, 2)}
    settings = {"rounds": args.rounds, "max_epochs": epochs, "quick": args.quick}
    summary = summarize({way.key: way.title for way in ways}, turns)
    report: dict[str, Any] = {"machine": machine, "settings": settings, "ways": summary}
    print(
        f"{machine['cpu']}, {machine['cores_used']} cores, {machine['memory_gib']} GiB, torch {machine['torch']}; "
        f"medians of {args.rounds}" + ", QUICK: no figures to quote" * args.quick
    )
    if load > BUSY * cores():
        print(f"WARNING: the load was {load:.1f} before the start.")
    print("\n".join(lines(summary)))
    print("\n" + "\n".join(markdown(summary)))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=2) + "\n")
        print(f"\nwritten to {args.out.name}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, help="3, or 1 with --quick")
    parser.add_argument("--trials", type=int, help="of the stack; 128, or 8 with --quick")
    parser.add_argument("--basic-trials", type=int, help="of the basic launcher; 32, or 2 with --quick")
    parser.add_argument("--script-trials", type=int, help="of the script; 16, or 2 with --quick")
    parser.add_argument("--quick", action="store_true", help="few short trials, to see whether all runs; not written")
    parser.add_argument("--out", type=Path, help="the report as JSON; results/endtoend.json unless --quick")
    args = parser.parse_args()
    defaults = {"rounds": (3, 1), "trials": (128, 8), "basic_trials": (32, 2), "script_trials": (16, 2)}
    for name, (full, quick) in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, quick if args.quick else full)
        if getattr(args, name) < 1:
            parser.error(f"`{name} >= 1` must hold, but got {getattr(args, name)}.")
    if args.out is None and not args.quick:
        args.out = BENCHMARKS / "results" / "endtoend.json"
    return args


def summarize(titles: Mapping[str, str], turns: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Everything about each way. Ratios are of turns in the same round, so that a busy machine slows both."""
    n_trials = turns[OURS][0]["trials"]

    def whole(turn: Mapping[str, float]) -> float:
        """Seconds of a study with as many trials as the stack's."""
        return turn["seconds_start_up"] + n_trials * turn["seconds_a_trial"]

    summary = {}
    for key, title in titles.items():
        mine, ours = turns[key], turns[OURS]
        seconds = spread([turn["seconds_a_trial"] for turn in mine])
        study = spread([whole(turn) for turn in mine])
        summary[key] = {
            "title": title,
            **{name: spread([turn[name] for turn in mine]) for name in mine[0]},
            f"seconds_of_{n_trials}_trials_with_start_up": study,
            "trials_an_hour": 3600 / seconds["median"],
            "trials_an_hour_with_start_up": 3600 * n_trials / study["median"],
            "times_ours": spread(
                [a["seconds_a_trial"] / b["seconds_a_trial"] for a, b in zip(mine, ours, strict=True)]
            ),
            "times_ours_with_start_up": spread([whole(a) / whole(b) for a, b in zip(mine, ours, strict=True)]),
            "rounds": [dict(turn) for turn in mine],
        }
    return summary


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def markdown(summary: Mapping[str, Any]) -> list[str]:
    """The ratios, as docs/speed.md has them."""
    n_trials = int(summary[OURS]["trials"]["median"])
    study = f"seconds_of_{n_trials}_trials_with_start_up"
    text = [
        f"| | seconds a trial | ratio | {n_trials} trials with start-up, seconds a trial | ratio |",
        "|---|---|---|---|---|",
    ]
    for row in summary.values():
        seconds, ratio = row["seconds_a_trial"]["median"], row["times_ours"]["median"]
        whole, times = row[study]["median"] / n_trials, row["times_ours_with_start_up"]["median"]
        text.append(f"| {row['title']} | {seconds:.3f} | {ratio:.3g} | {whole:.3f} | {times:.3g} |")
    return text


def lines(summary: Mapping[str, Any]) -> list[str]:
    """A table for people."""
    ours = summary[OURS]
    n_trials = int(ours["trials"]["median"])
    study = f"seconds_of_{n_trials}_trials_with_start_up"
    text = [
        f"{'':<46}{'measured':^26}{'without start-up':^28}{f'{n_trials} trials with start-up':^28}"
        f"{'epochs':>8}{'best':>9}",
        f"{'':<46}{'trials':>8}{'command':>9}{'start-up':>9}"
        f"{'s a trial':>11}{'an hour':>9}{'ratio':>8}{'s a trial':>11}{'an hour':>9}{'ratio':>8}{'a trial':>8}"
        f"{'val/loss':>9}",
    ]
    for row in summary.values():
        text.append(
            f"{row['title']:<46}{row['trials']['median']:>8.0f}"
            f"{row['seconds']['median']:>8.1f}s{row['seconds_start_up']['median']:>8.1f}s"
            f"{row['seconds_a_trial']['median']:>11.3f}{row['trials_an_hour']:>9.0f}{row['times_ours']['median']:>8.2f}"
            f"{row[study]['median'] / n_trials:>11.3f}{row['trials_an_hour_with_start_up']:>9.0f}"
            f"{row['times_ours_with_start_up']['median']:>8.2f}"
            f"{row['epochs_a_trial']['median']:>8.1f}{row['best']['median']:>9.4f}"
        )
    first_epoch = ours["seconds_to_first_epoch"]["median"]
    waits, off = (ours[f"training_{what}"]["median"] for what in ("waits", "is_off_the_cores"))
    return [
        *text,
        "Without start-up: from the first trial's start to the last one's end, in Optuna's journal. "
        f"Of the stack that includes its workers' start: {first_epoch:.1f} s to the first epoch's end.",
        f"Its main process takes {ours['main_cpu_ms_a_trial']['median']:.0f} CPU ms a trial for search and tracking. "
        f"From the first epoch's end on its {ours['workers']['median']:.0f} training processes wait for trials "
        f"{waits:.1%} of the time, and are off the cores, which they share with the main process, {off:.1%}.",
    ]


if __name__ == "__main__":
    main()
