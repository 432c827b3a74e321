"""Fashion-MNIST, USPS and MNIST-1D as a user has them: studies of several networks, their verdicts, and wall times.

Each study is two commands: a search, and `confirm` over five seeds on the official test split, against the same network
without what regularizes it, whose learning rate is searched as long. Beside them published figures. Prints a table in
Markdown, as it stands in docs/images.md.

    apt-get install dataset-fashion-mnist
    python benchmarks/image_sets.py --sets FOLDER_OF_USPS_AND_MNIST1D
    python benchmarks/image_sets.py --sets FOLDER --quick
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import describe_machine
from progress import Progress

ROOT = Path(__file__).parents[1]
BATCH = ("trainer.batch_size=128",)
L2, DROPOUT = "regularization.l2=tag(log, interval(1e-6, 1e-2))", "regularization.dropout=interval(0.0, 0.5)"
WITHOUT = "regularization.dropout=0"
RATE = "optimizer.lr=tag(log, interval(5e-4, 1e-2))"
MOVED = ("augmentation.shift=0.07", "augmentation.rotate=5", "augmentation.scale=0.05")


@dataclass(frozen=True)
class Study:
    """`data`: its settings with `{sets}` and `{fashion}` for folders; `published`: accuracies, with their sources."""

    name: str
    data: tuple[str, ...]
    settings: tuple[str, ...]
    trials: int
    epochs: int
    published: str = ""


FASHION = ("data.path={fashion}", "data.train=0.9", "data.validation=0.1")
USPS = ("data.path={sets}/usps.npz", "data.image_shape=[16,16]", "data.train=0.85", "data.validation=0.15")
SIGNALS = ("data.path={sets}/mnist1d.npz", "data.train=0.85", "data.validation=0.15")
MLP, CNN = ("network=mlp", "network.hidden=[256,128]"), ("network=cnn",)
STUDIES = (
    Study("Fashion-MNIST, MLP 256-128", FASHION, (*MLP, L2, DROPOUT, RATE), 8, 8, "MLP 88.3, XGBoost 89.8"),
    Study("Fashion-MNIST, cnn", FASHION, (*CNN, L2, DROPOUT), 3, 3, "CNN 91 to 93"),
    Study(
        "Fashion-MNIST, cnn, augmented",
        FASHION,
        (*CNN, L2, DROPOUT, "augmentation.shift=0.04", "augmentation.flip=0.5"),
        *(3, 3, "CNN 91 to 93"),
    ),
    Study("USPS, MLP 256-128", USPS, (*MLP, L2, DROPOUT, RATE), 16, 30),
    Study("USPS, cnn, augmented", USPS, (*CNN, L2, DROPOUT, *MOVED), 8, 20),
    Study("MNIST-1D, logistic", SIGNALS, ("network=softmax", L2, RATE, WITHOUT), 16, 60, "32"),
    Study("MNIST-1D, MLP 256-128", SIGNALS, (*MLP, L2, DROPOUT, RATE), 16, 60, "68"),
    Study(
        "MNIST-1D, 1-D CNN",
        SIGNALS,
        ("network._target_=signals.Signal1D", L2, RATE, WITHOUT),
        *(8, 60, "94"),
    ),
)


@dataclass(frozen=True)
class Measured:
    """Test accuracies in percent with their 95% intervals, and seconds of the search and of confirming."""

    best: dict[str, float]
    baseline: dict[str, float]
    verdict: str
    searched: float
    confirmed: float


def run(pipeline: str, arguments: list[str], runs: Path) -> float:
    """Seconds of the command. Ends all with its error."""
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "pipelines" / f"{pipeline}.py"), *arguments]
    environment = os.environ | {"RIDGELINE_RUNS": str(runs), "RIDGELINE_CACHE": str(runs / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT / "benchmarks")
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


def measure(
    study: Study, places: dict[str, str], seeds: int, *, examples: int | None, quick: bool, runs: Path
) -> Measured:
    data = [setting.format(**places) for setting in study.data]
    trials, epochs, examples = (2, 1, 600) if quick else (study.trials, study.epochs, examples)
    sizes = [f"search.n_trials={trials}", f"trainer.max_epochs={epochs}"]
    sizes += [f"data.examples={examples}"] if examples else []
    found, confirmed = runs / "search.json", runs / "confirm.json"
    asked = ["-m", "search=bayes", f"search.summary={found}", "data=arrays", *data, *BATCH, *study.settings, *sizes]
    searching = run("train", asked, runs)
    few = [
        "tracking.allowed_targets=[signals.]",
        "confirm.top=1",
        "confirm.selection_seeds=2",
        f"confirm.seeds={seeds}",
        f"confirm.summary={confirmed}",
    ]
    confirming = run("confirm", [f"study={found}", *few], runs)
    record: dict[str, Any] = json.loads(confirmed.read_text())
    best, baseline = (accuracy(record[name]["test_error"]) for name in ("best", "baseline"))
    return Measured(best, baseline, record["verdict"], searching, confirming)


def accuracy(error: dict[str, float]) -> dict[str, float]:
    """In percent."""
    return {"mean": 100 - 100 * error["mean"], "low": 100 - 100 * error["high"], "high": 100 - 100 * error["low"]}


def line(study: Study, found: Measured) -> str:
    best, baseline = (
        f"{one['mean']:.1f} ({one['low']:.1f} to {one['high']:.1f})" for one in (found.best, found.baseline)
    )
    size = f"{study.trials} x {study.epochs}"
    times = f"{found.searched:.0f} + {found.confirmed:.0f} s"
    return f"| {study.name} | {size} | {best} | {baseline} | {found.verdict} | {times} | {study.published} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--sets", default="../shared/data/images", help="the folder of usps.npz and mnist1d.npz")
    parser.add_argument("--fashion", default="/usr/share/datasets/fashion-mnist", help="the four IDX files")
    parser.add_argument("--only", nargs="+", default=[""], help="studies whose names begin so")
    parser.add_argument("--seeds", type=int, default=5, help="of confirm; 5")
    parser.add_argument("--examples", type=int, help="train and validate on so many; all")
    parser.add_argument("--quick", action="store_true", help="tiny, to see whether everything runs")
    args = parser.parse_args()
    places = {name: str(Path(getattr(args, name)).resolve()) for name in ("sets", "fashion")}
    machine, progress, load = describe_machine(), Progress(), os.getloadavg()[0]
    print(f"{machine['cpu']}, torch {machine['torch']}, load {load:.1f} at the start{', QUICK' * args.quick}\n")
    print("| study | trials x epochs | searched, test accuracy | plain | verdict | search + confirm | published |")
    print("|---|---|---|---|---|---|---|")
    for study in STUDIES:
        if not study.name.startswith(tuple(args.only)):
            continue
        progress.say(study.name)
        with tempfile.TemporaryDirectory(prefix="ridgeline-sets-") as folder:
            seeds, size = 2 if args.quick else args.seeds, {"examples": args.examples, "quick": args.quick}
            found = measure(study, places, seeds, **size, runs=Path(folder))
        progress.clear()
        print(line(study, found), flush=True)


if __name__ == "__main__":
    main()
