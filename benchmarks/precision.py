"""Does a search in bfloat16 find what one in float32 finds? Pairs of studies, in turn, on a processor that has both.

Each pair has a `search.seed` of its own: the same study (TPE over lambda and the dropout rate) in each precision.
The best configuration of each is trained again with seeds that no search saw, in the precision that it was found in.
Ends in about 10 minutes on two cores.

    python benchmarks/precision.py
    python benchmarks/precision.py --quick
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

from scipy import stats

from inprocess import studies
from machine import describe_machine
from progress import Progress
from ridgeline.config.precision import choose
from rivals.crew import cores
from search_quality_extras import retrain

EXACT, ROUNDED = "32-true", "bf16-mixed"
RESULTS = Path(__file__).resolve().parent / "results" / "precision.json"


def workloads(root: Path) -> dict[str, list[str]]:
    mnist = ["data=mnist", f"data.root='{root.absolute()}'", "data.examples=3000", "trainer.max_epochs=6"]
    return {
        "digits, 64-128-128-10": ["data=digits", "trainer.max_epochs=30"],
        "3,000 of MNIST, 784-256-256-10": [*mnist, "network.hidden=[256,256]"],
    }


def measure(name: str, fixed: list[str], seeds: int, trials: int, fresh: int, progress: Progress) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {EXACT: [], ROUNDED: []}
    search = ["search=bayes", f"search.n_trials={trials}", f"search.n_startup_trials={trials // 3}"]
    with studies(fixed) as made:
        made.run("search=random", "search.n_trials=4")  # not counted: data, imports
        for seed in range(seeds):
            for precision, rows in found.items():
                progress.say(f"{name}: seed {seed + 1} of {seeds}, {precision}")
                ended = made.run(*search, f"search.seed={seed}", f"trainer.precision={precision}")
                best = min((t for t in ended.trials if t.state.name == "COMPLETE"), key=lambda t: t.value or 0.0)
                again = retrain(made.pool, ended.plan, best.params, fresh)
                rows.append({"best": best.value, "fresh": statistics.mean(again), "seconds": ended.seconds[-1]})
    report: dict[str, Any] = {"rows": found}
    for what in ("best", "fresh"):
        pairs = [b[what] - a[what] for a, b in zip(found[EXACT], found[ROUNDED], strict=True)]
        mean, error = statistics.mean(pairs), statistics.stdev(pairs) / len(pairs) ** 0.5
        reach = float(stats.t.ppf(0.975, len(pairs) - 1)) * error
        report[what] = {
            **{p: statistics.mean(row[what] for row in rows) for p, rows in found.items()},
            "difference": [mean, mean - reach, mean + reach],
        }
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(found[EXACT], found[ROUNDED], strict=True)]
    return {**report, "times_as_fast": statistics.median(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"), help="of MNIST")
    parser.add_argument("--quick", action="store_true", help="to see whether all runs; not written")
    args = parser.parse_args()
    seeds, trials, fresh = (2, 8, 2) if args.quick else (10, 32, 8)
    progress, choice = Progress(), choose("cpu")
    machine = {**describe_machine(), "cores_used": cores()}
    report: dict[str, Any] = {"machine": machine, "seeds": seeds, "trials": trials, "auto": str(choice), "data": {}}
    print(f"{machine['cpu']}, {machine['cores_used']} cores, torch {machine['torch']}. {choice}")
    for name, fixed in workloads(Path(args.root)).items():
        found = measure(name, fixed, seeds, trials, fresh, progress)
        report["data"][name] = found
        progress.clear()
        print(f"{name}: {found['times_as_fast']:.2f} times as fast, search and tracking included")
        for what, words in (("best", "best val/loss"), ("fresh", "its mean on fresh seeds")):
            own = found[what]
            mean, low, high = own["difference"]
            print(f"  {words:24} {own[EXACT]:.4f} {own[ROUNDED]:.4f}   {mean:+.4f} [{low:+.4f}, {high:+.4f}]")
    if not args.quick:
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
