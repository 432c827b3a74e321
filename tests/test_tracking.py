"""Promises 6 and 10: a run leads to all that it belongs to, states are told apart, and nothing leaves the machine."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy
import yaml
from mlflow import MlflowClient

from ridgeline.config import Config, ConfigError, as_tree, parse
from ridgeline.data import DataDescription
from ridgeline.data.array_splits import Examples
from ridgeline.entry_points import ROOT
from ridgeline.tracking import Run, Tracker, TrackingError, check_store, provenance, store_uri, writer
from ridgeline.tracking.check import reason
from ridgeline.tracking.creation import Creation
from ridgeline.tracking.names import mlflow_key, run_name
from ridgeline.tracking.provenance import commit, revision
from ridgeline.tracking.store import open_store

DESCRIPTION = DataDescription("digits", Examples(1078, 359, 360), 64, 10, "0123456789abcdef" * 4)


def configuration(runs: Path, **tracking: str) -> Config:
    return parse(
        {
            "data": {"name": "digits"},
            "network": {"name": "mlp", "hidden": [32, 16]},
            "optimizer": {"name": "adam", "lr": 1e-3},
            "regularization": {"l2": 1e-4, "dropout": [0.1, 0.2]},
            "tracking": tracking,
            "runs": str(runs),
            "seed": 5,
        }
    )


def trial_of(study: Run, number: int, config: Config) -> Config:
    return dataclasses.replace(
        config, trial=dataclasses.replace(config.trial, study="lambda", number=number, parent_run=study.id)
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    """A store in a folder with a space in its name; made once, for its tables take seconds."""
    return configuration(tmp_path_factory.mktemp("runs of a study"))


@pytest.fixture(scope="module")
def client(config) -> MlflowClient:
    return MlflowClient(store_uri(config))


@pytest.fixture
def tracker(config):
    with Tracker(config) as tracker:
        yield tracker


def test_from_a_run_the_trial_job_study_revision_and_data_are_found(config, client, tracker, tmp_path):
    study = tracker.start_study("lambda", config, DESCRIPTION, {})
    run = tracker.start_trial(trial_of(study, 7, config), DESCRIPTION, tmp_path / "jobs" / "7")
    assert client.get_run(run.id).info.status == "RUNNING"
    run.finish("COMPLETE")
    found = client.get_run(run.id)
    tags = found.data.tags
    assert found.info.run_name == "trial 007"
    assert tags["ridgeline.kind"] == "trial"
    assert tags["ridgeline.trial"] == "7"
    assert tags["ridgeline.study"] == "lambda"
    assert tags["ridgeline.job"] == str(tmp_path / "jobs" / "7")
    assert tags["ridgeline.data.hash"] == DESCRIPTION.hash
    assert tags["mlflow.parentRunId"] == study.id
    assert tags["mlflow.source.name"] == "pipelines/train.py"
    assert tags["versions.torch"].startswith("2.")
    head = revision(Path(__file__).parent)
    assert {key: tags[key] for key in head} == head
    for described in (study, run):
        data = client.get_run(described.id).inputs.dataset_inputs[0].dataset
        assert (data.name, json.loads(data.profile)["validation"]) == ("digits", 359)
        assert json.loads(data.source)["hash"] == DESCRIPTION.hash
    # and back: from the trial's number to the run
    assert tracker.find_trial_run(study.id, 7) == run.id
    assert tracker.find_trial_run(study.id, 8) is None


def test_a_run_holds_its_whole_configuration_as_params_and_as_a_file(config, client, tracker, tmp_path):
    run = tracker.start_trial(config, DESCRIPTION, tmp_path)
    run.finish("COMPLETE")
    params = client.get_run(run.id).data.params
    assert params["regularization.l2"] == "0.0001"
    assert params["regularization.dropout"] == "[0.1, 0.2]"
    assert (params["seed"], params["data.name"], params["callbacks.early_stopping"]) == ("5", "digits", "null")
    assert not [key for key in params if key.startswith(("trial", "search", "runs", "tracking"))]
    stored = yaml.safe_load(Path(client.download_artifacts(run.id, "config.yaml", str(tmp_path))).read_text())
    assert parse(stored) == parse(as_tree(config))
    # A run that belongs to no study stands alone.
    tags = client.get_run(run.id).data.tags
    assert tags["ridgeline.kind"] == "run"
    assert "mlflow.parentRunId" not in tags


def test_long_values_are_cut_and_more_than_a_hundred_params_are_written(config, client, tracker, tmp_path):
    long = dataclasses.replace(config, data=dataclasses.replace(config.data, root="r" * 9000))
    run = tracker.start_trial(long, DESCRIPTION, tmp_path)
    run.set_tags({f"tag.{i}": str(i) for i in range(90)})
    run.set_tags({f"more.{i}": str(i) for i in range(90)})
    run.finish("COMPLETE")
    found = client.get_run(run.id).data
    assert found.params["data.root"] == "r" * 6000
    assert (found.tags["tag.89"], found.tags["more.89"]) == ("89", "89")


def test_metrics_are_curves_by_epoch_and_all_arrive(config, client, tracker, tmp_path):
    run = tracker.start_trial(config, DESCRIPTION, tmp_path)
    for epoch in range(1200):
        run.log_epoch(epoch, {"val/loss": 1 / (epoch + 1), "val/error": 0.25})
    run.log_metrics({"final/val_loss": 0.125})
    run.finish("COMPLETE")
    curve = client.get_metric_history(run.id, "val/loss")
    assert [(point.step, point.value) for point in curve] == [(epoch, 1 / (epoch + 1)) for epoch in range(1200)]
    metrics = client.get_run(run.id).data.metrics
    assert (metrics["val/error"], metrics["values/val_loss"]) == (0.25, 0.125)


def test_complete_pruned_and_failed_are_told_apart(config, client, tracker, tmp_path):
    seen = {}
    for state in ("COMPLETE", "PRUNED", "FAILED"):
        run = tracker.start_trial(config, DESCRIPTION, tmp_path / state)
        run.finish(state, f"because {state}")
        found = client.get_run(run.id)
        seen[state] = (found.info.status, found.data.tags["ridgeline.state"], found.data.tags["ridgeline.reason"])
        assert found.info.end_time >= found.info.start_time
    assert seen == {
        "COMPLETE": ("FINISHED", "COMPLETE", "because COMPLETE"),
        "PRUNED": ("KILLED", "PRUNED", "because PRUNED"),
        "FAILED": ("FAILED", "FAILED", "because FAILED"),
    }


def test_nan_is_skipped_in_metrics_and_named_in_the_reason(config, client, tracker, tmp_path):
    run = tracker.start_trial(config, DESCRIPTION, tmp_path)
    run.log_epoch(0, {"train/loss": 2.5, "val/loss": float("inf")})
    for epoch in range(1, 6):
        run.log_epoch(epoch, {"train/loss": float("nan")})
    run.finish("FAILED", "diverged")
    found = client.get_run(run.id).data
    assert found.metrics == {"train/loss": 2.5}
    reason = found.tags["ridgeline.reason"]
    assert reason.startswith("diverged; not finite: val/loss=inf at step 0, train/loss=nan at step 1")
    assert reason.endswith("and 3 more")


def test_a_study_goes_on_in_its_own_run_and_closes_what_a_killed_process_left(config, client, tmp_path):
    with Tracker(config) as tracker:
        study = tracker.start_study("it's resumed", config, DESCRIPTION, {"space.seed": "choice(1, 2)"})
        left = tracker.start_trial(trial_of(study, 0, config), DESCRIPTION, tmp_path / "0")
        done = tracker.start_trial(trial_of(study, 1, config), DESCRIPTION, tmp_path / "1")
        done.finish("COMPLETE")
        study.finish("FAILED", "stopped")
    with Tracker(config) as tracker:
        again = tracker.start_study("it's resumed", config, DESCRIPTION, {})
        assert again.id == study.id
        assert client.get_run(study.id).info.status == "RUNNING"
        (unfinished,) = tracker.unfinished(again.id)
        assert unfinished == left.id
        tracker.reopen(unfinished).finish("INTERRUPTED", "the process ended before the trial did")
        again.log_epoch(2, {"best/val/loss": 0.5})
        again.log_text("number,value\n0,0.5\n", "study/trials.csv")
        again.finish("COMPLETE")
    assert client.get_run(left.id).info.status == "KILLED"
    assert client.get_run(left.id).data.tags["ridgeline.state"] == "INTERRUPTED"
    assert client.get_run(done.id).info.status == "FINISHED"
    found = client.get_run(study.id)
    assert (found.info.status, found.data.tags["ridgeline.state"]) == ("FINISHED", "COMPLETE")
    assert [file.path for file in client.list_artifacts(study.id, "study")] == ["study/trials.csv"]


def test_pictures_and_files_are_added_to_a_run_that_has_ended(config, client, tracker, tmp_path):
    from matplotlib.figure import Figure

    run = tracker.start_trial(config, DESCRIPTION, tmp_path)
    run.finish("COMPLETE")
    (tmp_path / "weights.safetensors").write_bytes(b"weights")
    again = tracker.reopen(run.id)
    again.log_figure(Figure(), "curves.png")
    again.log_file(tmp_path / "weights.safetensors", "weights")
    with pytest.raises(FileNotFoundError, match="nothing"):
        again.log_file(tmp_path / "nothing")
    tracker.find_trial_run(run.id, 0)  # a question is answered after all that was logged before it
    assert {file.path for file in client.list_artifacts(run.id)} == {"config.yaml", "curves.png", "weights"}
    assert Path(client.download_artifacts(run.id, "curves.png", str(tmp_path))).read_bytes().startswith(b"\x89PNG")


def test_a_picture_is_drawn_once_and_looks_as_matplotlib_saves_it(config, client, tracker, tmp_path, monkeypatch):
    from io import BytesIO

    from matplotlib.figure import Figure
    from matplotlib.image import imread

    from ridgeline.report.studies import study_figures

    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    drawn, draw = [], Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda figure, renderer: (drawn.append(figure), draw(figure, renderer)))
    alone = Figure(figsize=(2, 1.5), dpi=100)
    alone.subplots().plot([1, 2])
    figures = {"curves": alone, "history": study_figures(study)["history"]}
    run = tracker.start_trial(config, DESCRIPTION, tmp_path)
    for name, figure in figures.items():
        run.log_figure(figure, f"{name}.png")
    assert [drawn.count(figure) for figure in figures.values()] == [1, 1]
    run.finish("COMPLETE")
    stored = client.download_artifacts(run.id, "curves.png", str(tmp_path))
    alone.savefig(saved := BytesIO(), format="png")
    assert np.array_equal(imread(stored), imread(BytesIO(saved.getvalue())))


def test_what_the_store_refuses_is_reported_at_the_end_and_the_rest_is_written(config, client, tmp_path):
    tracker = Tracker(config)
    run = tracker.start_trial(config, DESCRIPTION, tmp_path)
    run.log_epoch(0, {"a metric with a name that is too long for MLflow " * 9: 1.0})
    run.log_epoch(1, {"val/loss": 0.5})
    run.finish("COMPLETE")
    with pytest.raises(TrackingError, match=r"^MLflow store sqlite:.* not written: 1 x metrics.*exceeds") as error:
        tracker.close()
    assert "\n" not in str(error.value)
    found = client.get_run(run.id)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"val/loss": 0.5})


def test_a_database_on_a_full_disk_is_said_as_any_other_file_there(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/small.db")  # MLflow writes through it
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 2")
        connection.exec_driver_sql("CREATE TABLE bytes (value BLOB)")
        with pytest.raises(sqlalchemy.exc.OperationalError) as error:
            connection.exec_driver_sql("INSERT INTO bytes VALUES (zeroblob(100000))")
    assert reason(error.value) == "No space left on device"


def test_a_run_whose_creation_was_not_answered_is_not_created_twice(config, client, tmp_path):
    store = open_store(config)
    creation = Creation("trial 003", {"ridgeline.job": str(tmp_path)}, config, provenance.dataset(DESCRIPTION), {})
    first = creation(store)
    creation._run_id = None  # the store made it, and its answer was lost
    assert creation(store) == first
    runs = client.search_runs([store.experiment_id], f"tags.`ridgeline.job` = '{tmp_path}'")
    assert len(runs) == 1


def test_unfit_stores_are_refused_in_one_line_that_names_key_rule_and_value(tmp_path, config):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "corrupt.db").write_text("this is no database " * 100)
    before = sorted(tmp_path.rglob("*"))
    refused = {
        f"sqlite:///{tmp_path}/file/mlflow.db": "can be written",
        "sqlite:////proc/nowhere/mlflow.db": "can be written",
        f"sqlite:///{tmp_path}/corrupt.db": "is an SQLite database",
        "http://127.0.0.1:9": "an MLflow server answers",
        "http://nobody:secret@127.0.0.1:9": "an MLflow server answers",
        "nonsense": "sqlite:///FILE or http",
    }
    for uri, rule in refused.items():
        with pytest.raises(ConfigError, match=rule) as error:
            check_store(configuration(tmp_path / "runs", uri=uri))
        shown = uri.replace("nobody:secret@", "nobody:***@")
        assert f"must hold, but got tracking.uri={shown}" in str(error.value)
        assert "\n" not in str(error.value)
    # A fit one is let pass, whether it is there or not, and nothing is written.
    check_store(configuration(tmp_path / "runs"))
    check_store(config)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_path_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store_uri(configuration(Path("mlruns"))) == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert store_uri(configuration(Path("mlruns"), uri="sqlite:///own.db")) == f"sqlite:///{tmp_path}/own.db"


def test_the_git_revision_says_whether_files_differ_from_it(tmp_path):
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
        return subprocess.run(
            ["git", *who, "-C", tmp_path, *arguments], check=True, capture_output=True, text=True
        ).stdout

    assert revision(tmp_path) == {}  # no checkout
    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "one")
    head = git("rev-parse", "HEAD").strip()
    revision.cache_clear()
    assert revision(tmp_path) == {"mlflow.source.git.commit": head, "ridgeline.git.dirty": "false"}
    (tmp_path / "file").write_text("two")
    revision.cache_clear()
    assert revision(tmp_path) == {"mlflow.source.git.commit": head, "ridgeline.git.dirty": "true"}
    git("checkout", "file")
    (tmp_path / "params.yaml").write_text("seed: 1\n")  # as `dvc exp run` does before its first stage
    (tmp_path / "dvc.lock").write_text("")
    revision.cache_clear()
    assert revision(tmp_path) == {"mlflow.source.git.commit": head, "ridgeline.git.dirty": "false"}
    revision.cache_clear()


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1", "dubious ownership"),
        ("PATH", "", "No such file or directory: 'git'"),
        ("GIT_DIR", "/nowhere", "not a git repository"),
    ],
)
def test_a_revision_that_is_unknown_is_recorded_as_unknown_and_said_once(variable, value, reason, monkeypatch, caplog):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv(variable, value)
    revision.cache_clear()
    try:
        assert commit() == commit() == {"commit": None, "dirty": None}
    finally:
        revision.cache_clear()
    (said,) = caplog.messages
    assert reason in said
    assert "unknown" in said


LONELY = """
import logging, socket, sys
from pathlib import Path
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
loopback = ("127.0.0.1", "::1", "localhost")
def only_loopback(event, arguments):
    address = arguments[1] if event == "socket.connect" else arguments[0] if event == "socket.getaddrinfo" else None
    host = address[0] if isinstance(address, tuple) else address
    if event in ("socket.connect", "socket.getaddrinfo") and host not in loopback:
        print("NETWORK", event, arguments, flush=True)
        raise OSError("no network")
sys.addaudithook(only_loopback)
from ridgeline.tracking import Tracker
from test_tracking import DESCRIPTION, configuration
runs = Path(sys.argv[1])
with Tracker(configuration(runs)) as tracker:
    run = tracker.start_trial(configuration(runs), DESCRIPTION, runs / "job")
    run.log_epoch(0, {"val/loss": 0.5})
    run.finish("COMPLETE")
import mlflow.telemetry.utils
assert mlflow.telemetry.utils.is_telemetry_disabled()
import threading
assert not [t.name for t in threading.enumerate() if "elemetry" in t.name], threading.enumerate()
"""


def test_nothing_leaves_the_machine_and_a_new_store_prints_nothing(tmp_path):
    # Without what makes MLflow think that it is being tested: then it would be quiet anyway.
    quiet = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    environment = {key: value for key, value in os.environ.items() if key not in quiet}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(ROOT / "src")])
    command = [sys.executable, "-c", LONELY, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_single_run_is_named_for_what_was_typed_and_trains(config, client, tracker, tmp_path):
    job = tmp_path / "2026-01-31" / "12-00-00-000001"
    (job / ".hydra").mkdir(parents=True)
    typed = ["regularization.l2=2e-4", "data=wine", "+optimizer.betas=[0.9,0.99]", "tracking.uri=sqlite:///secret.db"]
    (job / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(typed))
    run = tracker.start_trial(config, DESCRIPTION, job)
    run.finish("COMPLETE")
    found = client.get_run(run.id)
    assert found.info.run_name == "run 12-00-00-000001 l2 2e-4 data wine betas [0.9,0.99]"
    assert "`regularization.l2=2e-4`" in found.data.tags["mlflow.note.content"]
    assert "secret" not in found.data.tags["mlflow.note.content"]


def test_names_of_runs_say_what_was_tried_and_stay_short():
    values = {"regularization.l2": "0.0018034", "regularization.dropout": "0.0302", "optimizer.lr": "0.25", "seed": "7"}
    assert run_name("trial 043", values) == "trial 043 l2 1.8e-3 dropout 0.03 lr 0.25 seed 7"
    assert run_name("trial 1", {"a.x": "12.345", "b.x": "100000000"}) == "trial 1 a.x 12.3 b.x 1e8"
    assert run_name("trial 1", {"network.hidden": "[16]", "regularization.l2": "0.0"}) == "trial 1 hidden [16] l2 0"
    assert mlflow_key("optimizer@other.name") == "optimizer:other.name"  # MLflow refuses an @ in a name
    assert len(run_name("trial 1", {f"regularization.key_{i}": "0.1" for i in range(30)})) <= 124


def test_study_waits_for_a_store_that_is_slower_than_its_trials(config, client, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(writer, "LAG_SECONDS", 0.0)
    with Tracker(config) as tracker:
        study = tracker.start_study("faster than its store", config, DESCRIPTION)
        late = []
        for number in range(10):
            tracker.keep_pace()
            late.append(tracker._writer._is_late())
            run = tracker.start_trial(trial_of(study, number, config), DESCRIPTION, tmp_path / str(number))
            run.log_epoch(0, {"val/loss": 0.5})
            run.finish("COMPLETE", wait=False)
        study.finish("COMPLETE")
    assert late == [False] * 10
