"""What a pipeline says in its first second or two, before torch is imported; and the addresses that it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from ridgeline.entry_points import ROOT
from ridgeline.search import progress
from ridgeline.search.launching import StackSettings
from ridgeline.search.pruning import make_pruner
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
    again, *then = capsys.readouterr().out.splitlines()
    assert again == f"Study {name}: 2 of 2 trials are done over regularization.l2, in {folder}"
    assert not any(line.startswith("Watch it") for line in then)
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


MEDIAN = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2, "n_warmup_steps": 1}
ASHA = {"_target_": "optuna.pruners.SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 3}
HYPERBAND = {"_target_": "optuna.pruners.HyperbandPruner", "min_resource": 1, "max_resource": 3, "reduction_factor": 3}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({**MEDIAN, "n_startup_trials": 16}, "n_startup_trials=16 and search.n_trials=10"),
        ({**MEDIAN, "n_warmup_steps": 9}, "n_warmup_steps=9 and trainer.max_epochs=3"),
        (MEDIAN, None),
        ({**ASHA, "min_resource": 3}, "min_resource=3 and trainer.max_epochs=3"),
        (
            {**ASHA, "min_early_stopping_rate": 1},
            "min_resource=1, reduction_factor=3, min_early_stopping_rate=1 and trainer.max_epochs=3",
        ),
        ({**ASHA, "min_resource": 2}, None),
        ({**HYPERBAND, "min_resource": 3}, "min_resource=3 and trainer.max_epochs=3"),
        (HYPERBAND, None),
    ],
)
def test_a_pruner_that_can_end_no_trial_is_said_to(settings: dict[str, Any], words: str | None) -> None:
    patient = {"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": settings, "patience": 0}
    for pruner, key in ((settings, "search.pruner"), (patient, "search.pruner.wrapped_pruner")):
        config = small(search__pruner=pruner, trainer__max_epochs=3)
        said = list(progress._idle_pruner(SimpleNamespace(config=config, n_trials=10)))  # type: ignore[arg-type]
        assert said == ([f"Its pruner will end no trial, for {key}.{words}."] if words else [])
        assert _ends_a_trial(make_pruner(pruner), n_trials=10, epochs=3) == (not said)


@pytest.mark.parametrize(("patience", "is_idle"), [(0, False), (1, True)])
def test_patience_that_lasts_until_the_last_epoch_is_said_to_end_no_trial(patience: int, is_idle: bool) -> None:
    pruner = {"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": MEDIAN, "patience": patience}
    config = small(search__pruner=pruner, trainer__max_epochs=3)
    said = list(progress._idle_pruner(SimpleNamespace(config=config, n_trials=10)))  # type: ignore[arg-type]
    words = f"Its pruner will end no trial, for search.pruner.patience={patience} and trainer.max_epochs=3."
    assert said == ([words] if is_idle else [])
    assert _ends_a_trial(make_pruner(pruner), n_trials=10, epochs=3) != is_idle


def _ends_a_trial(pruner: optuna.pruners.BasePruner, *, n_trials: int, epochs: int) -> bool:
    """Whether it does where each trial is worse than the one before and gets worse, in an epoch that is not its
    last."""
    study = optuna.create_study(study_name="worse and worse", pruner=pruner)
    for number in range(n_trials):
        trial = study.ask()
        for epoch in range(1, epochs):
            trial.report(number + epoch, epoch)
            if trial.should_prune():
                return True
        study.tell(trial, number)
    return False
