"""How often does confirm say that regularization helps where nothing can be learned: the false-positive rate.

Small studies whose labels are dealt out at random (data.permute_labels, every class keeps its share), each through the
sweeper, the stack launcher and confirm, test part included. Half of them on digits, half on two moons; each has labels,
a split and a search of its own. A right test says `helps` in 2.5% of them and `harms` in as many. Takes about 5 minutes
on two cores.

    python benchmarks/false_positives.py
    python benchmarks/false_positives.py --quick
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from inprocess import Studies, studies
from machine import describe_machine
from progress import Progress
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evidence.confirming import confirm_study
from ridgeline.evidence.files import FOLDER, RECORD
from ridgeline.evidence.stored import open_study

OUT = Path(__file__).resolve().parent / "results" / "false_positives.json"
DATA = (["data=digits", "data.examples=200"], ["data=moons", "data.examples=600"])
SMALL = [
    "network.hidden=[32]",
    "trainer.max_epochs=8",
    "search=bayes",
    "search.n_trials=16",
    "search.n_startup_trials=8",
]
SETTINGS = {"top": 3, "selection_seeds": 3, "seeds": 10}


def verdict_of(made: Studies, number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def inspect(runs: Path) -> None:
        (folder,) = runs.glob("studies/*")
        asked = replace(made.plans[0].config, runs=str(runs))
        stored = open_study(asked, folder.name)
        with confirming(), contextlib.redirect_stderr(io.StringIO()):
            confirm_study(stored, replace(asked.confirm, **SETTINGS), open_test_split, say=lambda words: None)
        record = json.loads((folder / FOLDER / RECORD).read_text())
        error = record["difference"]["error"]
        found.update(word=record["verdict"]["word"], difference=error["mean"], p_value=error["p_value"])

    seeds = [f"data.seed={number}", f"seed={number}", f"search.seed={number}"]
    made.run(*DATA[number % 2], *SMALL, "data.permute_labels=true", *seeds, inspect=inspect)
    return {"data": DATA[number % 2][0], **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--studies", type=int, help="100, or 4 with --quick")
    parser.add_argument("--quick", action="store_true", help="few studies, to see whether all runs; not written")
    args = parser.parse_args()
    count = args.studies or (4 if args.quick else 100)
    progress, rows = Progress(), list[dict[str, Any]]()
    with studies([]) as made:
        for number in range(count):
            progress.say(f"study {number + 1} of {count}: {dict(Counter(row['word'] for row in rows))}")
            rows.append(verdict_of(made, number))
    progress.clear()
    tally = Counter(row["word"] for row in rows)
    below = sum(row["p_value"] < 0.05 for row in rows)
    print(f"{count} studies of noise: {dict(tally)}; p < 0.05 in {below}")
    if not args.quick:
        report = {"machine": describe_machine(), "settings": SETTINGS, "verdicts": dict(tally), "studies": rows}
        OUT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
