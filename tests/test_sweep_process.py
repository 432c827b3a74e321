"""Studies of the real pipeline, as processes: refused, killed, gone on with (promises 5 and 9)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ridgeline.entry_points import ROOT
from sweeping import results, table

COMMAND = [sys.executable, str(ROOT / "pipelines" / "train.py"), "-m"]
STUDY = ["hydra/launcher=basic", "search=random", "search.n_trials=5", "trainer.max_epochs=2", "network.hidden=[16]"]


def environment(runs: Path) -> dict[str, str]:
    return {**os.environ, "RIDGELINE_RUNS": str(runs), "HYDRA_FULL_ERROR": ""}


def sweep(runs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    return subprocess.run(command, cwd=runs.parent, env=environment(runs), capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("regularization.dropout=0,1.2", "`0 <= dropout < 1` must hold, but got regularization.dropout=1.2."),
        ("search=bayes regularization.l2=interval(1,0)", "but got regularization.l2=interval(1,0)."),
        ("search=bayes hydra.launcher.workers=0", "`hydra.launcher.workers >= 1 (or null)` must hold"),
    ],
)
def test_bad_sweep_ends_with_one_line_and_writes_nothing(arguments: str, words: str, tmp_path: Path) -> None:
    done = sweep(tmp_path / "runs", *arguments.split())
    assert done.returncode != 0
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_sweeper_imports_nothing_heavy_until_it_runs() -> None:
    code = "import sys, hydra_plugins.ridgeline.sweeper; print(*(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "optuna", "mlflow", "matplotlib", "pandas"} & set(done.stdout.split())


@pytest.mark.verify
def test_killed_study_goes_on_to_its_total_and_the_same_table(tmp_path: Path) -> None:
    runs = tmp_path / "killed"
    process = subprocess.Popen([*COMMAND, *STUDY], cwd=tmp_path, env=environment(runs), stderr=subprocess.DEVNULL)
    while not list(runs.glob("studies/*/jobs/2/train.log")):  # within the third trial
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = sweep(runs, *STUDY)
    assert done.returncode == 0, done.stderr
    (folder,) = runs.glob("studies/*")
    assert sweep(tmp_path / "whole", *STUDY).returncode == 0
    (whole,) = tmp_path.glob("whole/studies/*")
    without = ("number", "job_dir", "run_id", "seconds")
    assert results(folder, without=without) == results(whole, without=without)
    states = [row["state"] for row in table(folder)]
    assert states.count("COMPLETE") == 5
    assert states.count("INTERRUPTED") == len(states) - 5 <= 1
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.load_study(study_name=folder.name, storage=storage)
    assert all(trial.state.is_finished() for trial in study.trials)
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    every = client.search_runs([client.get_experiment_by_name("ridgeline").experiment_id])
    assert {run.info.status for run in every} <= {"FINISHED", "KILLED"}
    finished = [run for run in every if run.data.tags["ridgeline.kind"] == "trial" and run.info.status == "FINISHED"]
    assert {run.info.run_id for run in finished} == {
        row["run_id"] for row in table(folder) if row["state"] == "COMPLETE"
    }
