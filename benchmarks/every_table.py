"""From a file to predictions by two keys: a small study, its verdict and the file's own rows predicted, of each table.

Of a folder of tables with an index.json (name, file, target, task of each), every one is taken as it is: nothing is set
but `data.path` and `data.target`. What Ridgeline took the target for is compared with what the index says. Each command
is a process of its own, as a user's are. Writes benchmarks/results/every_table.json and prints the table of
docs/tables.md. About 30 s a table on two cores.

    python benchmarks/every_table.py --tables FOLDER
    python benchmarks/every_table.py --tables FOLDER --only credit_g abalone
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from machine import describe_machine
from progress import Progress

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "every_table.json"
SEARCH = ("-m", "search=bayes", "search.n_trials=8", "search.n_startup_trials=4", "trainer.max_epochs=15")
CONFIRM = ("confirm.top=1", "confirm.selection_seeds=2", "confirm.seeds=3")


def run(pipeline: str, *arguments: str, runs: Path) -> tuple[float, str]:
    """Seconds, and what was printed. Raises RuntimeError with the last line of an error."""
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "pipelines" / f"{pipeline}.py"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"RIDGELINE_RUNS": str(runs)})
    if ended.returncode:
        raise RuntimeError((ended.stderr.strip().splitlines() or ["no word"])[-1])
    return time.perf_counter() - began, ended.stdout


def go_through(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The road of one table; `outcome` is `predicted`, or what stopped it."""
    path, runs = folder / table["file"], Path(tempfile.mkdtemp(prefix="every_table_"))
    given = ["data=table", f"data.path={path}", f"data.target='{table['target']}'"]
    found: dict[str, Any] = {"name": table["name"], "rows": table["rows"], "features": table["features"]}
    try:
        found["prepare_s"], said = run("prepare", *given, "prepare.summary=" + str(runs / "data.json"), runs=runs)
        taken = "regression" if ", regression, for" in said else "classification"
        found["task"], found["is_right"] = taken, (taken == "regression") == (table["task"] == "regression")
        found["search_s"], _ = run("train", *SEARCH, *given, runs=runs)
        (study,) = (folder.name for folder in (runs / "studies").iterdir())
        found["confirm_s"], said = run("confirm", f"study={study}", *CONFIRM, runs=runs)
        record = json.loads((runs / "studies" / study / "confirm" / "confirm.json").read_text())
        figure = record["figure"]
        found |= {"verdict": record["verdict"]["word"], "figure": figure}
        found["test"] = record["arms"]["best"]["test"][figure]["mean"]
        found["baseline"] = record["arms"]["baseline"]["test"][figure]["mean"]
        model, out = f"ridgeline-{record['data']['name']}", runs / "predictions.csv"
        if found["verdict"] == "harms":  # whose champion is not registered
            found["outcome"] = "no champion, regularization harms"
            return found
        found["predict_s"], _ = run("predict", f"model={model}", f"data.path={path}", f"out={out}", runs=runs)
        predicted = pd.read_csv(out, keep_default_na=False)["prediction"]
        truth = pd.read_csv(path)[table["target"]]
        if taken == "regression":
            found["on_the_file"] = float(np.sqrt(np.mean((predicted.astype(float) - truth) ** 2)))
        else:
            found["on_the_file"] = float((predicted.astype(str) != truth.astype(str)).mean())
        found["outcome"] = "predicted"
    except RuntimeError as error:
        found["outcome"] = str(error)
    return found


def markdown(results: list[dict[str, Any]]) -> str:
    """A line for each table."""
    lines = [
        "| table | rows x features | taken for | search, confirm, predict | on the test split | baseline | verdict |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for one in results:
        task = one.get("task", "-") + ("" if one.get("is_right", True) else " (wrong)")
        if "test" not in one:
            lines.append(f"| {one['name']} | {one['rows']} x {one['features']} | {task} | {one['outcome']} | | | |")
            continue
        seconds = ", ".join(f"{one[key]:.0f} s" for key in ("search_s", "confirm_s", "predict_s") if key in one)
        test, baseline = (shown(one[key], one["figure"]) for key in ("test", "baseline"))
        size = f"{one['rows']} x {one['features']}"
        lines.append(f"| {one['name']} | {size} | {task} | {seconds} | {test} | {baseline} | {one['verdict']} |")
    return "\n".join(lines)


def shown(value: float, figure: str) -> str:
    if figure == "error":
        return f"error {value:.2%}"
    return f"{figure.upper()} {value:,.0f}" if value >= 1000 else f"{figure.upper()} {value:.4g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="the folder with the tables and index.json")
    parser.add_argument("--only", nargs="*", help="names of some of them; nothing is written then")
    asked = parser.parse_args()
    tables = json.loads((asked.tables / "index.json").read_text())
    tables = [table for table in tables if not asked.only or table["name"] in asked.only]
    machine, results, progress = describe_machine(), [], Progress()
    for number, table in enumerate(tables):
        progress.say(f"table {number + 1} of {len(tables)}: {table['name']}")
        results.append(go_through(table, asked.tables.absolute()))
        print(json.dumps(results[-1]), flush=True)
    print(markdown(results))
    if not asked.only:
        RESULTS.write_text(json.dumps({"machine": machine, "tables": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
