"""Do two checkouts give the same numbers, to the last bit? A few short commands in each; every curve, table and weight.

python benchmarks/same_numbers.py --than OTHER                   this checkout against the one in the folder OTHER
python benchmarks/same_numbers.py --write numbers.json           what this checkout gives
python benchmarks/same_numbers.py --against numbers.json         the same, compared with what was written
                                  --of FOLDER                    another checkout than this one
                                  --mnist FOLDER --long          with MNIST from a folder; with all claims, minutes long
                                  --only stack confirm           these commands alone

Both on one machine: another CPU rounds otherwise. A checkout runs with the .venv in its folder, where it has one.
Weights are compared by SHA-256, whatever they are called, stored as (inputs, outputs) or transposed. Where there is a
difference the exit code is 1, and the first ones are shown.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

Numbers = dict[str, dict[str, str]]
"""Of each command: what a number is called, and the number as it was written."""

ROOT = Path(__file__).parents[1]
COMMANDS: dict[str, list[str]] = {
    "single": [
        """train.py regularization=l2_dropout augmentation=all data.standardize=all trainer.max_epochs=6
        callbacks=[early_stopping,dropout_schedule,penalty_schedule,diagnostics]
        callbacks.dropout_schedule.epochs=3 callbacks.penalty_schedule.epochs=3"""
    ],
    "stack": [
        """train.py -m trainer.max_epochs=5 hydra.launcher.workers=1
        regularization=none,l1,l2,elastic_net,group_lasso,max_norm,dropout,l2_dropout,dropconnect,input_noise,label_smoothing,mixup,weight_average"""
    ],
    "basic": [
        """train.py -m hydra/launcher=basic optimizer=adam,adamw,sgd lr_schedule=cosine,step loss=hinge
        regularization=l2_dropout network.activation=tanh network.hidden=[32] optimizer.gradient_clip_val=1.0
        trainer.max_epochs=3""",
        "train.py -m hydra/launcher=basic network=softmax regularization=none,l1 trainer.max_epochs=3",
    ],
    "folds": [
        """train.py -m search=bayes search/pruner=median search.n_trials=20 search.n_startup_trials=6
        data=breast_cancer data.folds=3 network.output=sigmoid network.hidden=[16,16] trainer.max_epochs=8
        hydra.launcher.workers=1 hydra.launcher.stack_size=12"""
    ],
    "confirm": [
        """train.py -m search=bayes search.n_trials=8 search.n_startup_trials=4 search.study_name=small
        data=wine network.hidden=[16] trainer.max_epochs=10 hydra.launcher.workers=1""",
        """confirm.py study=small confirm.top=2 confirm.selection_seeds=2 confirm.seeds=3
        confirm.summary=RUNS/confirm.json""",
    ],
    "mnist": [
        """train.py -m data=mnist data.root=MNIST data.examples=1000 trainer.max_epochs=2 hydra.launcher.workers=1
        experiment=case_study/BASELINE,case_study/l2,case_study/l1,case_study/dropout,case_study/augmentation,case_study/early_stopping,case_study/tuned"""
    ],
}
"""By name: pipelines with their arguments, run one after the other. RUNS is their runs folder, MNIST the data, BASELINE
what the checkout calls the network without regularization."""

LONG = {
    "claims": ["claims.py claims.seeds=2"],
    "case_study": ["case_study.py data.root=MNIST data.examples=4000 case_study.seeds=2 case_study.n_trials=4"],
}

WORDS = {"plain": "baseline", "part": "split", "parts": "splits"}
"""Words that stood for something else before: old to new."""

OF_THE_RUN = re.compile(
    r"seconds|duration|commit|dirty|machine|when|command|run_id|job_dir|study|times?_|made|opening|config/claims"
)
"""Names of what differs from one run to the next, and of settings that no number follows from."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    one = parser.add_mutually_exclusive_group(required=True)
    for name in ("--than", "--write", "--against"):
        one.add_argument(name, type=Path)
    parser.add_argument("--of", type=Path, default=ROOT)
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[*COMMANDS, *LONG])
    asked = parser.parse_args()
    names = asked.only or [*COMMANDS, *(LONG if asked.long else ())]
    if asked.mnist is None:
        names = [name for name in names if not any("MNIST" in line for line in {**COMMANDS, **LONG}[name])]
    ours = numbers_of(asked.of, names, asked.mnist)
    if asked.write is not None:
        asked.write.write_text(json.dumps(ours, indent=0))
        print(f"written: {asked.write}")
        return
    theirs = json.loads(asked.against.read_text()) if asked.against else numbers_of(asked.than, names, asked.mnist)
    lines = [line for name in names for line in differences(name, theirs.get(name, {}), ours[name])]
    print("\n".join(lines[:20]))
    count = sum(len(theirs.get(name, {})) for name in names)
    print(f"DIFFERENT: {len(lines)} of {count} numbers" if lines else f"same: {count} numbers of {', '.join(names)}")
    raise SystemExit(1 if lines else 0)


def numbers_of(checkout: Path, names: list[str], mnist: Path | None) -> Numbers:
    """What the named commands give in that checkout."""
    found: Numbers = {}
    for name in names:
        with tempfile.TemporaryDirectory(prefix="same_numbers_") as folder:
            for line in {**COMMANDS, **LONG}[name]:
                for word, text in (("BASELINE", baseline(checkout)), ("MNIST", str(mnist)), ("RUNS", folder)):
                    line = line.replace(word, text)
                run(checkout.absolute(), line, Path(folder))
            found[name] = collect(Path(folder))
        print(f"{name}: {len(found[name])} numbers", file=sys.stderr, flush=True)
    return found


def baseline(checkout: Path) -> str:
    """It was called `plain` before."""
    return "baseline" if (checkout / "conf/experiment/case_study/baseline.yaml").exists() else "plain"


def run(checkout: Path, line: str, runs: Path) -> None:
    """One pipeline, quietly; its last words where it fails."""
    python = checkout / ".venv" / "bin" / "python"
    pipeline, *arguments = line.split()
    command = [str(python if python.exists() else sys.executable), str(checkout / "pipelines" / pipeline), *arguments]
    environment = os.environ | {"RIDGELINE_RUNS": str(runs), "PYTHONPATH": str(checkout / "src")}
    ended = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    if ended.returncode != 0:
        print("\n".join([f"FAILED in {checkout}: {line}", *(ended.stdout + ended.stderr).splitlines()[-15:]]))
        raise SystemExit(2)


def collect(runs: Path) -> dict[str, str]:
    """The numbers in the files of a runs folder: curves, weights, tables of trials, what confirm and claims found."""
    found: dict[str, str] = {}
    for path in sorted(runs.rglob("*")):
        if path.is_relative_to(runs / "artifacts"):  # MLflow's copies
            continue
        # Neither the time nor the code is part of a job's name here.
        place = re.sub(r"jobs/[\d-]+/[\d-]+/", "job/", path.relative_to(runs).as_posix())
        place = re.sub(r"studies/[^/]+/", "study/", place)
        if path.name == "weights.safetensors":
            found |= {f"{place}: weights {i}": digest for i, digest in enumerate(weights(path))}
        elif path.name in ("history.csv", "trials.csv", "confirm.csv"):
            found |= {f"{place}: {name}": value for name, value in table(path).items()}
        elif path.name in ("confirm.json", "claims.json", "case_study.json"):
            found |= {f"{place}: {name}": value for name, value in leaves(json.loads(path.read_text())).items()}
    return {name: value for name, value in found.items() if not OF_THE_RUN.search(name.partition(": ")[2])}


def weights(path: Path) -> list[str]:
    """The SHA-256 of each tensor, sorted, so that names do not matter; of a matrix and its transpose the same."""
    digests = []
    for tensor in load_file(path).values():
        array = np.squeeze(tensor)
        both = {hashlib.sha256(np.ascontiguousarray(way).tobytes()).hexdigest() for way in (array, array.T)}
        digests.append(min(both))
    return sorted(digests)


def table(path: Path) -> dict[str, str]:
    """The cells of a CSV file."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {f"row {i}, {renamed(name)}": renamed(value) for i, row in enumerate(rows) for name, value in row.items()}


def leaves(node: Any, path: str = "") -> dict[str, str]:
    """The numbers of a JSON file, by their place in it; no texts, which may be worded anew."""
    if isinstance(node, dict):
        children = [(renamed(str(key)), value) for key, value in node.items()]
    elif isinstance(node, list):
        children = [(str(i), value) for i, value in enumerate(node)]
    else:
        is_number = isinstance(node, int | float) and not isinstance(node, bool)
        return {path: repr(node)} if is_number else {}
    return {name: leaf for key, value in children for name, leaf in leaves(value, f"{path}/{key}").items()}


def renamed(text: str) -> str:
    return re.sub(r"[a-z]+", lambda word: WORDS.get(word[0], word[0]), text)


def differences(command: str, theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """A line for each number that another one stands for now, or none. One that only has another name is none."""
    theirs = {name: renamed(value) for name, value in theirs.items() if not OF_THE_RUN.search(name.partition(": ")[2])}
    new = Counter(value for name, value in ours.items() if name not in theirs)
    lines = []
    for name, value in theirs.items():
        if name not in ours and new[value] > 0:
            new[value] -= 1
        elif ours.get(name) != value:
            lines.append(f"{command}: {name}: was {value}, is {ours.get(name, 'not there')}")
    return lines


if __name__ == "__main__":
    main()
