"""A study whose trials train as stacks: what promises 2, 4, 5 and 6 say of it."""

from __future__ import annotations

import logging
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
from optuna.trial import Trial

from ridgeline.entry_points import ROOT, checked, one_trial
from ridgeline.search.ask_tell import AskTell
from ridgeline.search.endings import StudyStopped
from ridgeline.search.sources import OpenTrials
from ridgeline.stack.source import Fit
from ridgeline.trial.run import run_trial
from sweeping import OWN_COLUMNS, Studies, formula, results, table

SMALL = ("network.hidden=[16]", "trainer.max_epochs=6", "optimizer.lr=0.02", "callbacks.early_stopping.patience=1")
BAYES = (*SMALL, "search=bayes", "search.n_trials=14", "search.n_startup_trials=3")
SLOTS = ("hydra.launcher.workers=2", "hydra.launcher.stack_size=2")
ONE_WORKER = ("hydra.launcher.workers=1", "hydra.launcher.stack_size=4")


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
    ended = OpenTrials.ended

    def interrupt(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenTrials, "ended", interrupt)
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


@pytest.mark.verify
def test_study_whose_time_is_up_ends_with_what_has_ended_and_goes_on_to_the_same_table(
    whole: Path, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    studies, seconds = Studies(tmp_path, store), "search.timeout=3600"
    ended, now = OpenTrials.ended, time.monotonic()
    hours = iter((0, 0, 0, 0, 2))

    def pass_time(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        hour = now + 3600 * next(hours)
        monkeypatch.setattr("ridgeline.search.deadline.monotonic", lambda: hour)

    with monkeypatch.context() as patched:
        patched.setattr(OpenTrials, "ended", pass_time)
        folder = studies.run(*BAYES, *SLOTS, seconds, task=train)
        states = [row["state"] for row in table(folder)]
    assert states.count("COMPLETE") == 5
    assert "search.timeout=3600 s is over: 5 of 14 trials ended. The same command goes on." in caplog.messages
    monkeypatch.undo()
    assert studies.run(*BAYES, *SLOTS, seconds, task=train) == folder
    assert results(folder) == results(whole)


def test_study_without_a_trial_in_its_time_says_so(tmp_path: Path, store: Path) -> None:
    words = r"ended within search.timeout=1e-06 s; [\d.]+ s had passed before the first began: raise it"
    with pytest.raises(StudyStopped, match=words):
        Studies(tmp_path, store).run(*BAYES, *SLOTS, "search.timeout=1e-6", task=train)


def test_trial_leads_to_its_folder_and_run_and_back(whole: Path, store: Path) -> None:
    client = MlflowClient(f"sqlite:///{store}")
    for row in table(whole):
        folder = whole / row["job_dir"]
        run = client.get_run(row["run_id"])
        assert run.data.tags["ridgeline.trial"] == row["number"]
        assert run.data.tags["ridgeline.job"] == str(folder)
        assert run.data.metrics["values/val_loss"] == float(row["final/val_loss"])
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


def test_study_that_ends_for_its_failures_leaves_no_run_open(tmp_path: Path, store: Path) -> None:
    command = (*SMALL, "optimizer.lr=1e38", "seed=range(8)", "search.max_failure_rate=0.2")
    with pytest.raises(StudyStopped, match="2 trials failed, more than"):
        Studies(tmp_path, store).run(*command, *ONE_WORKER, task=train)
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(tmp_path.name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FAILED", "KILLED"}


def test_trials_of_several_structures_end_bitwise_as_one_by_one(
    tmp_path: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grid = ("trainer.max_epochs=2", "data=wine,digits", "network=softmax,mlp", "regularization.l2=0,1e-2")
    with caplog.at_level(logging.INFO, "ridgeline"):
        stacked = Studies(tmp_path / "stacked", store).run(*grid, *ONE_WORKER, task=train)
    single = Studies(tmp_path / "single", store).run(*grid, "hydra/launcher=basic", task=train)
    assert "Trials differ in data, network, which no stack can mix: those of one structure" in caplog.text
    assert len(results(stacked)) == 8
    assert results(stacked) == results(single)
    for number in range(8):
        ours, hydras = (yaml.safe_load((f / f"jobs/{number}/.hydra/hydra.yaml").read_text()) for f in (stacked, single))
        hydras["hydra"]["runtime"]["choices"]["hydra/launcher"] = "stack"
        assert ours["hydra"]["runtime"]["choices"] == hydras["hydra"]["runtime"]["choices"]
    client = MlflowClient(f"sqlite:///{store}")
    hashes = [
        [client.get_run(row["run_id"]).data.tags["ridgeline.data.hash"] for row in table(folder)]
        for folder in (stacked, single)
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 2


@pytest.mark.verify
def test_batches_stopped_while_asked_and_while_trained_end_with_the_same_table(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*BAYES, "network.hidden=choice([16],[8])", "search.n_trials=10", *ONE_WORKER)  # batches of 4, 4, 2
    command += ("search.seed=5",)  # the best of six is the fifth: a seventh that knew of it would be another
    whole = Studies(tmp_path / "whole", store).run(*command, task=train)
    studies = Studies(tmp_path / "stopped", store)
    ask, ended = AskTell.ask, OpenTrials.ended

    def stop_asking(self: AskTell) -> Trial:
        if len(self.study.trials) == 6:
            raise KeyboardInterrupt
        return ask(self)

    def stop_training(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(AskTell, "ask", stop_asking)
    with pytest.raises(StudyStopped, match="4 of 10 trials are saved"):
        studies.run(*command, task=train)
    monkeypatch.setattr(AskTell, "ask", ask)
    monkeypatch.setattr(OpenTrials, "ended", stop_training)
    with pytest.raises(StudyStopped, match="6 of 10 trials are saved"):
        studies.run(*command, task=train)
    monkeypatch.undo()
    resumed = studies.run(*command, task=train)
    assert results(resumed) == results(whole)
    assert len({row["network.hidden"] for row in results(whole)}) == 2
    assert [row["state"] for row in table(resumed)] == ["COMPLETE"] * 10


@pytest.mark.parametrize(
    ("sweep", "structural"),
    [
        ("regularization=none,l1,l2,dropout", []),
        ("network=mlp,softmax", ["network"]),
        ("regularization=none,l2 lr_schedule=constant,cosine seed=1,2", ["lr_schedule"]),
        ("network.hidden=[8],[4] trainer.batch_size=32,64", ["network.hidden", "trainer.batch_size"]),
    ],
)
def test_structure_is_what_more_than_knobs_change(
    sweep: str, structural: list[str], tmp_path: Path, store: Path
) -> None:
    assert Studies(tmp_path, store).plan(*sweep.split()).structural == structural


def test_task_of_which_nothing_is_known_runs_one_by_one(
    tmp_path: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ridgeline"):
        folder = Studies(tmp_path, store).run("seed=1,2", task=formula)
    assert [(row["state"], row["epochs"]) for row in table(folder)] == [("COMPLETE", "2")] * 2  # as the task said
    assert "The task is not marked with @one_trial" in caplog.text


def test_study_that_goes_on_from_a_checkpoint_runs_one_by_one(
    tmp_path: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = ("trainer.max_epochs=1", "trainer.checkpoint_interval=0", "hydra/launcher=basic")
    folder = Studies(tmp_path / "first", store).run(*first, task=train)
    longer, checkpoint = ("trainer.max_epochs=2,3",), f"trainer.ckpt_path={folder}/jobs/0/last.ckpt"
    with caplog.at_level(logging.INFO, "ridgeline"):
        gone_on = Studies(tmp_path / "on", store).run(*longer, checkpoint, task=train)
    at_once = Studies(tmp_path / "once", store).run(*longer, "hydra/launcher=basic", task=train)
    assert "trainer.ckpt_path goes on with one training" in caplog.text
    assert [row["value"] for row in results(gone_on)] == [row["value"] for row in results(at_once)]
    assert (gone_on / "jobs/1/result.json").exists()  # a job of Hydra's


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
    without = (*OWN_COLUMNS, "number", "job_dir")  # killed while it was asked for, a trial leaves its number unused
    assert results(killed, without=without) == results(whole, without=without)
    assert len(results(whole)) == 14
