"""A minute on two cores, everything included: a regularized network beside boosting and other networks, on tables.

Each method gets the same rows to train, the same to validate, and so many seconds of wall clock for all that it does:
its start, reading, encoding, searching and predicting. It runs in a process of its own, on two cores. What is not done
when the time and a tenth of it are over is killed and has no figure. None is refitted on train and validation. Log loss
and accuracy, or RMSE, with 95% intervals over the test rows; splits as published where they are known. `--out` gets a
row as soon as it is done, with the versions and the machine; a second start does what it lacks.

    python benchmarks/tables.py --tables FOLDER --quick     15 tables in 20 minutes: some methods, 18 s, one seed
    python benchmarks/tables.py --tables FOLDER --full      all methods, 60 s, five seeds: about 13 hours
    python benchmarks/tables.py --tables FOLDER --only adult phoneme --methods ridgeline lightgbm_tuned --budget 30

The other libraries: pip install 'ridgeline[benchmark]'. A method that is not installed is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import datetime
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from machine import describe_machine
from on_tables.methods import EXTRA, METHODS, Clock
from on_tables.scores import figures, markdown
from on_tables.splits import OPEN, published, read_table, said_of
from progress import Progress

RESULTS = Path(__file__).parent / "results"
CORES = 2
GRACE = 0.1
PACKAGES = ("torch", "scikit-learn", "optuna", "lightgbm", "xgboost", "catboost", "pytabkit")
COLUMNS = (
    *("table", "splits", "method", "seed", "budget", "outcome", "seconds"),
    *("loss", "loss_low", "loss_high", "accuracy", "accuracy_low", "accuracy_high"),
    *("load", "machine", "versions", "time"),
)


def run(folder: Path, name: str, method: str, seed: int, budget: float) -> dict[str, Any]:
    """One cell, in a process of its own: a row of the CSV."""
    table = read_table(folder, name)
    found: dict[str, Any] = {"table": name, "splits": said_of(name), "method": method, "seed": seed, "budget": budget}
    with tempfile.TemporaryDirectory() as place:
        out, end = Path(place) / "predicted.npy", time.time() + budget
        one = [str(folder), name, method, str(seed), str(end), str(out)]
        command = [sys.executable, __file__, "--cell", *one]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(CORES))
        log = (Path(place) / "log").open("w+")
        began = time.time()
        process = subprocess.Popen(
            command, env=os.environ | threads, stdout=log, stderr=log, start_new_session=True, preexec_fn=_on_two_cores
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(budget * (1 + GRACE))
        found["seconds"] = round(time.time() - began, 1)
        _end(process)
        if out.exists() and process.returncode == 0:
            return {**found, "outcome": "done", **figures(table, np.load(out))}
        log.seek(0)
        last = (log.read().strip().splitlines() or [""])[-1]
        return {**found, "outcome": "not done in time" if process.returncode == -9 else last[:200]}


def predict_cell(folder: str, name: str, method: str, seed: str, end: str, out: str) -> None:
    """What the process of a cell does."""
    predicted = METHODS[method].predict(read_table(Path(folder), name), int(seed), Clock(float(end)))
    np.save(out, predicted)
    sys.stdout.flush()
    os._exit(0)  # what a library does at its end is none of the time that a prediction takes


def _on_two_cores() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


def versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def installed(asked: Sequence[str]) -> list[str]:
    """Those of the methods that can run; the others are named."""
    missing = [method for method in asked if not METHODS[method].is_installed]
    if missing:
        print(f"Left out, for they are not installed: {', '.join(missing)}. {EXTRA}", file=sys.stderr)
    return [method for method in asked if method not in missing]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="the folder with the tables and index.json")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="18 seconds, one seed, some methods")
    size.add_argument("--full", action="store_true", help="60 seconds, five seeds, all methods")
    parser.add_argument("--only", nargs="*", choices=OPEN, metavar="TABLE", help="some of the tables")
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), metavar="METHOD", help=", ".join(METHODS))
    parser.add_argument("--budget", type=float, help="seconds for each")
    parser.add_argument("--seeds", type=int, help="how many")
    parser.add_argument("--out", type=Path, help="the CSV that gets a row for each")
    asked = parser.parse_args()
    budget, seeds = asked.budget or (18.0 if asked.quick else 60.0), asked.seeds or (5 if asked.full else 1)
    methods = installed(asked.methods or [name for name, own in METHODS.items() if own.is_quick or not asked.quick])
    out = asked.out or RESULTS / ("tables_quick.csv" if asked.quick else "tables.csv")
    rows = list(csv.DictReader(out.open())) if out.exists() else []
    done = {(row["table"], row["method"], int(row["seed"]), float(row["budget"])) for row in rows}
    machine, progress = describe_machine(), Progress()
    about = {"machine": f"{machine['cpu']}, {CORES} cores", "versions": versions()}
    for seed in range(seeds):
        for name in asked.only or OPEN:
            for method in methods:
                if (name, method, seed, budget) in done:
                    continue
                progress.say(f"{name}, {method}, seed {seed}")
                about |= {"load": round(os.getloadavg()[0], 1), "time": f"{datetime.datetime.now():%Y-%m-%d %H:%M}"}
                rows.append({**run(asked.tables.absolute(), name, method, seed, budget), **about})
                _write(out, rows[-1])
    shown = [row for row in rows if float(row["budget"]) == budget and row["table"] in (asked.only or OPEN)]
    print(markdown(shown, published(asked.tables)))


def _write(out: Path, row: dict[str, Any]) -> None:
    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--cell"]:
        predict_cell(*sys.argv[2:])
    else:
        main()
