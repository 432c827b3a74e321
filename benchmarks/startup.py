"""How long each command takes to its first line and to the prompt, by two checkouts in turns.

Wall seconds from the start to the first line on the terminal and to the end, CPU seconds of the process itself (workers
have cores of their own), and of a study also the wall seconds from the end of its last trial to the prompt. Medians
over rounds, which begin with the one and the other checkout in turn; the ratio is that of the CPU seconds within a
round, which a busy machine moves least. `imports` is what no command can do without: torch and its first optimizer,
Lightning, MLflow's store and matplotlib, imported by a process that does nothing else.

    git worktree add ../before 72d67f2
    python benchmarks/startup.py ../before --rounds 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parents[1]

IMPORTS = (
    "import torch; torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]); import pytorch_lightning;"
    "import mlflow, mlflow.store.tracking.sqlalchemy_store, matplotlib.figure; print()"
)
LAST_TRIAL = b"Writing tables and pictures"
"""A study prints it when its last trial has ended."""


class Turn(NamedTuple):
    """Seconds: to the first line; from the last trial to the prompt, nan where there is none; to the prompt; of CPU."""

    first: float
    tail: float
    whole: float
    cpu: float


def commands(runs: Path, trials: int, turn: int) -> dict[str, list[str]]:
    """What is measured, in an order in which each finds what it needs in `runs`."""
    new = runs / "new.npy"
    return {
        "imports": ["-c", IMPORTS],
        "ridgeline --help": ["-m", "ridgeline", "--help"],
        "train --help": ["pipelines/train.py", "--help"],
        "train": ["pipelines/train.py", f"runs={runs}"],
        f"train -m, {trials} trials": [
            *("pipelines/train.py", "--multirun", "search=bayes", f"runs={runs}"),
            *(f"search.n_trials={trials}", f"search.study_name=turn{turn}"),
        ],
        "confirm, 2 seeds": [
            *("pipelines/confirm.py", f"study=turn{turn}", f"runs={runs}", "confirm.seeds=2"),
            *("confirm.selection_seeds=2", "confirm.top=2"),
        ],
        "report": ["pipelines/report.py", f"study=turn{turn}", f"runs={runs}"],
        "predict": [
            *("pipelines/predict.py", "model=ridgeline-digits", f"data.path={new}", f"runs={runs}"),
            f"out={runs / 'predictions.csv'}",
        ],
    }


def run(root: Path, arguments: list[str]) -> Turn:
    """One command of a checkout."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        cwd=root,
        bufsize=0,
    )
    assert process.stdout is not None
    first, last, said = float("nan"), float("nan"), b""
    while part := process.stdout.read(4096):
        said, now = said + part, time.monotonic() - began
        first = now if first != first else first
        last = now if last != last and LAST_TRIAL in said else last
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    whole = time.monotonic() - began
    if process.returncode != 0:
        sys.exit(f"{root}: {' '.join(arguments)} ended with {process.returncode}: {said.decode()[-2000:]}")
    return Turn(first, whole - last, whole, used.ru_utime + used.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=128, help="of the study (default: 128, as `make sweep` has)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="COMMAND",
        help="these alone, with those whose study or model they need: imports, 'train -m' ...",
    )
    args = parser.parse_args()
    roots, found = (args.before.resolve(), HERE), dict[str, list[tuple[Turn, Turn]]]()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, which) for which in ("before", "now")]
        for folder in folders:
            folder.mkdir()
            np.save(folder / "new.npy", np.zeros((300, 64), np.float32))
        for turn in range(args.rounds):
            plans = [commands(folder, args.trials, turn) for folder in folders]
            for what in plans[0]:
                if args.only and what.partition(",")[0] not in args.only:
                    continue
                turns = {i: run(roots[i], plans[i][what]) for i in ((0, 1) if turn % 2 else (1, 0))}
                found.setdefault(what, []).append((turns[0], turns[1]))
    print(f"{'seconds, before and now':<26}{'first line':>14}{'last trial':>14}{'prompt':>14}{'CPU':>14}   CPU ratio")
    for what, pairs in found.items():
        cells = []
        for field in Turn._fields:
            before, now = (statistics.median(getattr(pair[i], field) for pair in pairs) for i in (0, 1))
            cells.append(f"{'-':>14}" if before != before else f"{before:>8.2f}{now:>6.2f}")
        ratio = statistics.median(now.cpu / before.cpu for before, now in pairs)
        print(f"{what:<26}{''.join(cells)}   {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
