"""A table of 48,842 rows from its file to a served champion: seconds and memory of each command.

adult (UCI) with its official test split: `adult.csv.gz`, of which the first 16,281 rows are that split. A study of 64
trials, its verdict over 10 seeds, the test file predicted, and one row asked, in a process and over HTTP. Memory: the
largest sum of what the processes of a command have for themselves (PSS), looked at ten times a second. Writes
benchmarks/results/adult.json.

    python benchmarks/adult.py --table FOLDER/adult.csv.gz
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from machine import describe_machine
from progress import Progress

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "adult.json"
OFFICIAL = 16_281
"""Rows of the official test split, the first of the file."""
ASKED = 50
"""How often one row is asked for."""


class Peak:
    """The largest sum of PSS of a process and those below it, in MiB."""

    def __init__(self, pid: int) -> None:
        self.mib, self._process, self._ends = 0.0, psutil.Process(pid), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ends.wait(0.1):
            total = 0
            with contextlib.suppress(psutil.Error):
                for process in (self._process, *self._process.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        total += process.memory_full_info().pss
            self.mib = max(self.mib, total / 2**20)

    def end(self) -> float:
        self._ends.set()
        self._thread.join()
        return round(self.mib)


def run(pipeline: str, *arguments: str, runs: Path) -> tuple[dict[str, float], str]:
    """Seconds and MiB, and what was printed."""
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "pipelines" / f"{pipeline}.py"), *arguments]
    environment = os.environ | {"RIDGELINE_RUNS": str(runs), "RIDGELINE_CACHE": str(runs / "cache")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        peak = Peak(process.pid)
        said, error = process.communicate()
        found = {"seconds": round(time.perf_counter() - began, 1), "mib": peak.end()}
    if process.returncode:
        raise SystemExit(error)
    return found, said


def milliseconds(ask: Callable[[], Any]) -> float:
    """The median of asking once, after the first time."""
    ask()
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(took), 1)


def in_process(store: str, row: pd.DataFrame) -> float:
    import mlflow

    mlflow.set_tracking_uri(store)
    model = mlflow.pyfunc.load_model("models:/ridgeline-adult@champion")
    return milliseconds(lambda: model.predict(row))


def over_http(store: str, row: pd.DataFrame) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/ridgeline-adult@champion"]
    command += ["--env-manager", "local", "--port", str(port)]
    environment = os.environ | {"MLFLOW_TRACKING_URI": store}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload]
    address = f"http://127.0.0.1:{port}"
    body = json.dumps({"dataframe_records": json.loads(row.to_json(orient="records"))}).encode()
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})

    def ask() -> None:
        with urllib.request.urlopen(request) as answer:
            assert set(json.load(answer)["predictions"][0]) == {"<=50K", ">50K"}

    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/ping"):
                break
            time.sleep(0.2)
        return milliseconds(ask)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="adult.csv.gz")
    parser.add_argument("--trials", type=int, default=64)
    asked = parser.parse_args()
    machine, progress, runs = describe_machine(), Progress(), Path(tempfile.mkdtemp(prefix="adult_"))
    frame = pd.read_csv(asked.table, keep_default_na=False)
    train, test, out = runs / "adult.csv", runs / "adult_test.csv", runs / "predictions.csv"
    frame.iloc[OFFICIAL:].to_csv(train, index=False)
    frame.iloc[:OFFICIAL].to_csv(test, index=False)
    given = ["data=table", f"data.path={train}", "data.target=class", f"data.test_path={test}", "data.train=0.8"]
    found: dict[str, Any] = {"machine": machine}
    progress.say("prepare, twice: the second start reads nothing anew")
    found["prepare"], _ = run("prepare", *given, runs=runs)
    found["prepare_again"], _ = run("prepare", *given, runs=runs)
    progress.say(f"a study of {asked.trials} trials")
    found["search"], _ = run("train", "-m", "search=bayes", f"search.n_trials={asked.trials}", *given, runs=runs)
    (study,) = (folder.name for folder in (runs / "studies").iterdir())
    progress.say("its verdict")
    found["confirm"], said = run("confirm", f"study={study}", "confirm.seeds=10", runs=runs)
    found["verdict"] = re.split(r"\n", said.split("into ", 1)[-1], maxsplit=1)[1].splitlines()[0]
    record = json.loads((runs / "studies" / study / "confirm" / "confirm.json").read_text())
    found["test_error"] = {name: arm["test"]["error"]["mean"] for name, arm in record["arms"].items()}
    progress.say("the test file predicted")
    place = [f"data.path={test}", f"out={out}"]
    found["predict"], _ = run("predict", "model=ridgeline-adult@champion", *place, runs=runs)
    predicted = pd.read_csv(out)["prediction"]
    found["error_of_the_predictions"] = float(
        (predicted.to_numpy() != frame["class"].iloc[:OFFICIAL].to_numpy()).mean()
    )
    progress.say("one row")
    store, row = f"sqlite:///{runs / 'mlflow.db'}", pd.read_csv(test, nrows=1).drop(columns="class")
    found["one_row_ms"] = {"in a process": in_process(store, row), "over HTTP": over_http(store, row)}
    print(json.dumps(found, indent=2))
    if asked.trials == 64:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
