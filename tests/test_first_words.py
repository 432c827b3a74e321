"""What a pipeline says in its first second or two, before torch is imported; and the addresses that it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from ridgeline.entry_points import ROOT
from ridgeline.search import progress
from ridgeline.search.launching import StackSettings
from ridgeline.tracking.address import experiment_of, look_at_study
from ridgeline.tracking.store import open_store
from ridgeline.trial.messages import opening_words
from settings import small
from sweeping import Studies
from test_tracking import configuration

UNTIL_TORCH = """
import os, runpy, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("TORCH", flush=True)
            os._exit(0)
sys.meta_path.insert(0, Watch())
sys.argv = [{script!r}, *{arguments!r}]
runpy.run_path({script!r}, run_name="__main__")
"""
"""A program that runs a pipeline until it imports torch."""


def said_before_torch(pipeline: str, *arguments: str, runs: Path) -> list[str]:
    """The lines of stdout and stderr."""
    program = UNTIL_TORCH.format(script=str(ROOT / "pipelines" / pipeline), arguments=arguments)
    environment = {**os.environ, "RIDGELINE_RUNS": str(runs)}
    command = [sys.executable, "-c", program]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    with subprocess.Popen(command, env=environment, **pipe) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line == "TORCH\n":
                break
        os.killpg(process.pid, signal.SIGKILL)  # the server that imports for the workers, too
    return lines


def test_a_study_says_its_name_trials_workers_folder_and_address_before_torch_is_imported(tmp_path: Path) -> None:
    sizes = (
        "search.n_trials=6",
        "search.n_startup_trials=2",
        "hydra.launcher.workers=2",
        "trainer.accelerator=cpu",
        "data=wine",
    )
    first, address, torch = said_before_torch("train.py", "-m", "search=bayes", *sizes, runs=tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "studies").iterdir()
    assert first == (
        f"Study {folder.name}: 6 trials over regularization.l2, regularization.dropout, 2 workers, into {folder}"
    )
    assert address.startswith("Watch it: ")
    assert address.endswith(f"viewStateShareKey={folder.name}")
    assert torch == "TORCH"


def test_a_single_run_says_what_it_trains_before_torch_is_imported(tmp_path: Path) -> None:
    given = ("data=wine", "regularization.l2=1e-3", "tracking.experiment=mine")
    first, torch = said_before_torch("train.py", *given, runs=tmp_path)
    shown = "data=wine regularization.l2=1e-3"
    assert first.startswith(f"Training mlp on wine, at most 30 epochs, with {shown}, into {tmp_path}/jobs/")
    assert torch == "TORCH"


def test_a_check_says_that_it_checks() -> None:
    words = opening_words(replace(small(), debug="gradcheck"), ["debug=gradcheck"], "jobs/1")
    assert words == "Checking gradcheck of mlp on digits; nothing is written"


def test_what_the_first_words_say_is_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many trials are done, and the address, of an experiment that the store has made only afterwards."""
    store = tmp_path / "mlflow.db"
    studies, command = (
        Studies(tmp_path / "runs", store),
        ("regularization.l2=1e-3,1e-2", "hydra/launcher=basic", "search.n_jobs=2"),
    )
    folder = studies.run(*command)
    name = folder.name
    first, watch, *_ = capsys.readouterr().out.splitlines()
    assert first == f"Study {name}: 2 trials over regularization.l2, one by one, into {folder}"
    made = MlflowClient(f"sqlite:///{store}").get_experiment_by_name("runs")
    page = f"#/experiments/{made.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={name}"
    assert watch.endswith(f", then http://127.0.0.1:5000/{page}")
    studies.run(*command)
    again, watch_again, *_ = capsys.readouterr().out.splitlines()
    assert again.startswith(f"Study {name}: 2 of 2 trials are done, over regularization.l2, one by one, into ")
    assert watch_again == watch
    config = configuration(tmp_path, uri=f"sqlite:///{store}", experiment="another")
    expected = experiment_of(config)
    assert expected == open_store(config).experiment_id != made.experiment_id


def test_of_a_server_the_address_is_its_own(tmp_path: Path) -> None:
    config = configuration(tmp_path, uri="https://me:secret@mlflow.example.org/")
    assert look_at_study(config, "my-study") == "https://mlflow.example.org, view my-study"


@pytest.mark.parametrize(
    ("accelerator", "driver", "words"),
    [
        ("auto", None, "3 workers"),
        ("cpu", "/", "3 workers"),
        ("auto", "/", "on the GPU if torch can use it"),
    ],
)
def test_workers_are_counted_where_no_gpu_can_be_found(
    accelerator: str, driver: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "GPU_DRIVERS", [driver] if driver else [])
    config = small()
    config = replace(config, trainer=replace(config.trainer, accelerator=accelerator))
    assert progress.workers_of(config, StackSettings(workers=3), n_trials=8) == words


@pytest.mark.parametrize(
    ("settings", "n_trials", "words"),
    [
        ({"n_startup_trials": 16, "n_warmup_steps": 1}, 10, "search.pruner.n_startup_trials=16 and search.n_trials=10"),
        ({"n_startup_trials": 2, "n_warmup_steps": 9}, 10, "search.pruner.n_warmup_steps=9 and trainer.max_epochs=3"),
        ({"n_startup_trials": 2, "n_warmup_steps": 1}, 10, None),
    ],
)
def test_a_pruner_that_can_end_no_trial_is_said_to(settings: dict[str, int], n_trials: int, words: str | None) -> None:
    median = {"_target_": "optuna.pruners.MedianPruner", **settings}
    for pruner in (median, {"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": median, "patience": 1}):
        config = small(search__pruner=pruner, trainer__max_epochs=3)
        said = list(progress._idle_pruner(SimpleNamespace(config=config, n_trials=n_trials)))  # type: ignore[arg-type]
        assert said == ([f"Its pruner will end no trial, for {words}."] if words else [])
