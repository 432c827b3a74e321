"""A study whose trials train as stacks: what promises 2, 4, 5 and 6 say of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.hydra_config import HydraConfig
from mlflow import MlflowClient
from omegaconf import DictConfig

from ridgeline.doors import ROOT, checked, one_trial
from ridgeline.search.records import StudyStopped
from ridgeline.search.streaming import Streaming
from ridgeline.stack.stream import Fit
from ridgeline.trials import run_trial
from sweeping import Studies, results, table

SMALL = ("network.hidden=[16]", "trainer.max_epochs=6", "optimizer.lr=0.02", "callbacks.early_stopping.patience=1")
BAYES = (*SMALL, "search=bayes", "search.n_trials=14", "search.sampler.n_startup_trials=3")
SLOTS = ("hydra.launcher.workers=2", "hydra.launcher.stack_size=2")


@one_trial
def train(cfg: DictConfig) -> Any:
    return run_trial(checked(cfg), Path(HydraConfig.get().runtime.output_dir))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """The folder of an uninterrupted study of 14 trials in 4 slots."""
    return Studies(tmp_path_factory.mktemp("whole"), store).run(*BAYES, *SLOTS, task=train)


def test_stacked_trials_end_bitwise_as_one_by_one(tmp_path: Path, store: Path) -> None:
    grid = (*SMALL, "regularization.dropout=0,0.4", "seed=1,2,3")
    stacked = Studies(tmp_path / "stacked", store).run(*grid, *SLOTS, task=train)
    single = Studies(tmp_path / "single", store).run(*grid, "hydra/launcher=basic", task=train)
    assert len(results(stacked)) == 6
    assert results(stacked) == results(single)


def test_stopped_anywhere_it_ends_with_the_same_table(
    whole: Path, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies = Studies(tmp_path, store)
    ended = Streaming.ended

    def interrupt(self: Streaming, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.study.trials if t.state.is_finished()]) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Streaming, "ended", interrupt)
    with pytest.raises(StudyStopped, match="5 of 14 trials are saved"):
        studies.run(*BAYES, *SLOTS, task=train)
    monkeypatch.undo()
    (folder,) = studies.folders()
    assert [row["state"] for row in table(folder)].count("RUNNING") >= 3
    assert studies.run(*BAYES, *SLOTS, task=train) == folder
    assert results(folder) == results(whole)
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(tmp_path.name)
    assert experiment is not None
    children = client.search_runs([experiment.experiment_id], "tags.`ridgeline.kind` = 'trial'", max_results=500)
    states = [run.data.tags["ridgeline.state"] for run in children]
    assert states.count("COMPLETE") == 14
    assert set(states) == {"COMPLETE", "INTERRUPTED"}


def test_trial_leads_to_its_folder_and_run_and_back(whole: Path, store: Path) -> None:
    client = MlflowClient(f"sqlite:///{store}")
    for row in table(whole):
        folder = whole / row["job_dir"]
        run = client.get_run(row["run_id"])
        assert run.data.tags["ridgeline.trial"] == row["number"]
        assert run.data.tags["ridgeline.job"] == str(folder)
        assert run.data.metrics["final/val_loss"] == float(row["final/val_loss"])
        assert len(client.get_metric_history(row["run_id"], "val/loss")) == int(row["epochs"])
        config = yaml.safe_load((folder / ".hydra" / "config.yaml").read_text())
        assert config["regularization"]["l2"] == float(row["regularization.l2"])
        assert config["trial"]["number"] == int(row["number"])
        assert yaml.safe_load((folder / ".hydra" / "hydra.yaml").read_text())["hydra"]["job"]["num"] == int(
            row["number"]
        )


def test_diverged_trial_fails_with_its_reason_and_the_study_goes_on(tmp_path: Path, store: Path) -> None:
    command = (*SMALL, "optimizer.lr=1e-2,1e38,2e-2", "seed=1,2", "search.max_failure_rate=0.5")
    folder = Studies(tmp_path, store).run(*command, *SLOTS, task=train)
    rows = table(folder)
    assert [row["state"] for row in rows] == ["COMPLETE", "COMPLETE", "FAILED", "FAILED", "COMPLETE", "COMPLETE"]
    assert "became" in rows[2]["reason"]


def test_trials_of_several_structures_train_one_by_one(tmp_path: Path, store: Path) -> None:
    command = ("trainer.max_epochs=1", "network.hidden=[4],[8]")
    folder = Studies(tmp_path, store).run(*command, *SLOTS, task=train)
    assert [row["state"] for row in table(folder)] == ["COMPLETE", "COMPLETE"]


@pytest.mark.verify
def test_killed_process_costs_nothing_but_time(tmp_path: Path) -> None:
    def command(runs: Path) -> list[str]:
        return [sys.executable, str(ROOT / "pipelines" / "train.py"), "-m", *BAYES, *SLOTS, f"runs={runs}"]

    runs, quiet = tmp_path / "killed", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for ended in (1, 6):  # killed twice, the second time after it was taken up
        process = subprocess.Popen(command(runs), env=dict(os.environ), **quiet)
        while len(list(runs.glob("studies/*/jobs/*/history.csv"))) < ended:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for each in (runs, tmp_path / "whole"):
        subprocess.run(command(each), check=True, **quiet)
    (killed,), (whole,) = runs.glob("studies/*"), tmp_path.glob("whole/studies/*")
    assert results(killed) == results(whole)
    assert len(results(whole)) == 14
