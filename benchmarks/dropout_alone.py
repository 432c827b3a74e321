"""Does confirm.leave_one_out find the one regularizer that helps? On tables where that is dropout, by construction.

24 clusters in 20 dimensions belong to four classes by turns, and three labels in ten are dealt out at random. A wide
network that trains on 480 rows, long enough to learn all of them by heart at most of the learning rates that are tried,
errs far more often on other rows than one with dropout. Three more regularizers are on in every trial, so weak that
they do next to nothing: l2 below 1e-7, label smoothing and input noise below 0.001. So a right answer for each table
is: dropout earns its place, and of none of the three is anything shown. Takes a few minutes on two idle cores.

    python benchmarks/dropout_alone.py
    python benchmarks/dropout_alone.py --tables 1
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inprocess import Studies, studies
from machine import describe_machine
from progress import Progress
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.confirm_folder import RECORD
from ridgeline.evaluation.stored import CONFIRMED, open_study

OUT = Path(__file__).resolve().parent / "results" / "dropout_alone.json"
ROWS, DIMENSIONS, CLUSTERS, CLASSES, AT_RANDOM = 4000, 20, 24, 4, 0.3
DATA = ["data=table", "data.path={table}", "data.target=class", "data.train=0.08", "data.validation=0.04"]
LONG = ["network=mlp", "network.hidden=[128]", "optimizer.lr=0.02", "trainer.max_epochs=100", "trainer.batch_size=50"]
LONG += ["trainer.restore_best=false", "callbacks.early_stopping=null"]
SPACE = [
    "regularization.dropout=interval(0.3,0.7)",
    "regularization.l2=tag(log,interval(1e-9,1e-7))",
    "regularization.label_smoothing=interval(0.0001,0.001)",
    "regularization.input_noise=interval(0.0001,0.001)",
]
STUDY = ["search=bayes", "search.n_trials=8", "search.n_startup_trials=6"]
SETTINGS = {"top": 2, "selection_seeds": 2, "seeds": 8, "leave_one_out": True}


def write_table(path: Path, number: int) -> None:
    draw = np.random.default_rng(number)
    centres = draw.standard_normal((CLUSTERS, DIMENSIONS))
    cluster_N = draw.integers(0, CLUSTERS, ROWS)
    x_NI = centres[cluster_N] + 0.5 * draw.standard_normal((ROWS, DIMENSIONS))
    is_random_N = draw.random(ROWS) < AT_RANDOM
    class_N = np.where(is_random_N, draw.integers(0, CLASSES, ROWS), cluster_N % CLASSES)
    columns = {f"x{i}": x_NI[:, i] for i in range(DIMENSIONS)}
    pd.DataFrame({**columns, "class": [f"c{c}" for c in class_N]}).to_csv(path, index=False)


def measure(made: Studies, number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def inspect(runs: Path) -> None:
        (folder,) = runs.glob("studies/*")
        asked = replace(made.plans[0].config, runs=str(runs))
        stored = open_study(asked, folder.name)
        with confirming(), contextlib.redirect_stderr(io.StringIO()):
            confirm_study(stored, replace(asked.confirm, **SETTINGS), open_test_split, say=lambda words: None)
        record = json.loads((folder / CONFIRMED / RECORD).read_text())
        found.update(verdict=record["verdict"], difference=record["difference"]["error"], ablation=record["ablation"])

    with tempfile.TemporaryDirectory() as name:
        table = Path(name) / "table.csv"
        write_table(table, number)
        seeds = [f"seed={number}", f"search.seed={number}"]
        words = [word.replace("{table}", str(table)) for word in (*DATA, *LONG, *SPACE, *STUDY, *seeds)]
        made.run(*words, inspect=inspect)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--tables", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    progress, rows = Progress(), list[dict[str, Any]]()
    with studies([]) as made:
        for number in range(args.tables):
            progress.say(f"table {number + 1} of {args.tables}")
            rows.append(measure(made, number))
            content = {"machine": describe_machine(), "settings": SETTINGS, "tables": rows}
            args.out.write_text(json.dumps(content, indent=1) + "\n")
    progress.clear()
    for number, row in enumerate(rows):
        print(f"table {number}: {row['verdict']['sentence']}\n  {row['ablation']['sentence']}")
        for one in row["ablation"]["regularizers"]:
            for kind in ("without", "alone"):
                own = one[kind]
                mean, low, high = (100 * own["gain"][end] for end in ("mean", "low", "high"))
                said = f"{mean:+.2f} points ({low:+.2f} to {high:+.2f}), p {own['adjusted_p']:.2g}: {own['word']}"
                print(f"  {one['key']}={one['value']:.3g} {kind}: {said}")


if __name__ == "__main__":
    main()
