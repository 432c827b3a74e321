"""A fault of the MLflow store that does not pass is found before training; one that comes later costs no result."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from omegaconf import DictConfig

from ridgeline.checking import ConfigError
from ridgeline.search.endings import StudyStopped
from ridgeline.tracking import check_store
from ridgeline.tracking.writer import _is_for_good
from ridgeline.trial import run as trials
from settings import small
from sweeping import Studies, formula, results
from test_tracking import configuration

pytestmark = pytest.mark.alone

RANDOM = ("search=random", "search.study_name=one", "hydra/launcher=basic")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Studies:
    """A study of two trials, which ended well."""
    studies = Studies(tmp_path_factory.mktemp("done") / "runs", store)
    studies.run(*RANDOM, "search.n_trials=2")
    return studies


def refusal(runs: Path, store: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        check_store(configuration(runs, uri=f"sqlite:///{store}"))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def changed(store: Path, copy: Path, statement: str, *values: str) -> Path:
    shutil.copy(store, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(statement, values)
    return copy


def test_store_of_another_version_is_refused_with_the_cure(done: Studies, store: Path, tmp_path: Path) -> None:
    for version, cure in (("0a8213491aaa", "mlflow db upgrade sqlite:///"), ("fffffffffff", "install the MLflow that")):
        other = changed(store, tmp_path / "other.db", "UPDATE alembic_version SET version_num = ?", version)
        assert cure in refusal(tmp_path / "runs", other)


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/optuna.db")
    assert "is a database of MLflow" in refusal(tmp_path / "runs", tmp_path / "optuna.db")


def test_artifacts_that_cannot_be_written_are_refused(done: Studies, store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "artifacts").write_text("no folder")
    assert "artifacts can be written" in refusal(tmp_path / "runs", tmp_path / "new.db")
    move = "UPDATE experiments SET name = 'ridgeline', artifact_location = ? WHERE name = 'runs'"
    other = changed(store, tmp_path / "other.db", move, (tmp_path / "file" / "7").as_uri())
    assert "artifacts can be written" in refusal(tmp_path / "elsewhere", other)


def test_deleted_experiment_is_refused(done: Studies, store: Path, tmp_path: Path) -> None:
    delete = "UPDATE experiments SET name = 'ridgeline', lifecycle_stage = 'deleted' WHERE name = 'runs'"
    other = changed(store, tmp_path / "other.db", delete)
    assert "`tracking.experiment is not deleted` must hold" in refusal(tmp_path / "runs", other)


def test_missing_table_is_refused_and_is_no_outage(done: Studies, store: Path, tmp_path: Path) -> None:
    other = changed(store, tmp_path / "other.db", "DROP TABLE latest_metrics")
    assert "`the MLflow store has the table latest_metrics` must hold" in refusal(tmp_path / "runs", other)
    error = MlflowException("(sqlite3.OperationalError) no such table: latest_metrics")
    error.__cause__ = sqlite3.OperationalError("no such table: latest_metrics")
    assert _is_for_good(error)
    error.__cause__ = sqlite3.OperationalError("database is locked")
    assert not _is_for_good(error)


@pytest.mark.verify
def test_artifacts_of_a_scheme_that_cannot_be_used_are_found_before_training(
    done: Studies, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    move = "UPDATE experiments SET name = 'ridgeline', artifact_location = 'what://nobucket/x' WHERE name = 'runs'"
    other = changed(store, tmp_path / "other.db", move)
    monkeypatch.setattr(trials, "_train", lambda *_: pytest.fail("it trained"))
    config = replace(small(runs=str(tmp_path)), tracking=replace(small().tracking, uri=f"sqlite:///{other}"))
    with pytest.raises(ConfigError, match=r"`the MLflow store takes artifacts` must hold, but .*what"):
        trials.run_trial(config, tmp_path)
    assert caplog.records == []


def test_study_whose_run_is_deleted_is_refused_before_it_trains(done: Studies, store: Path) -> None:
    client, trained = MlflowClient(f"sqlite:///{store}"), list[int]()
    journal = optuna.storages.journal.JournalFileBackend(str(done.runs / "studies" / "one" / "journal.log"))
    run = optuna.load_study(study_name="one", storage=optuna.storages.JournalStorage(journal)).user_attrs["run_id"]
    client.delete_run(run)

    def task(cfg: DictConfig) -> object:
        trained.append(0)
        return formula(cfg)

    with pytest.raises(ConfigError, match=f"The MLflow run {run} of the study one is deleted or not in sqlite"):
        done.run(*RANDOM, "search.n_trials=3", task=task)
    assert trained == []
    client.restore_run(run)
    assert len(results(done.run(*RANDOM, "search.n_trials=3"))) == 3


@pytest.mark.verify
def test_store_that_fails_for_good_while_a_study_runs_costs_no_result(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies = Studies(tmp_path / "failing", store)
    artifacts = studies.runs / "artifacts"

    def task(cfg: DictConfig) -> object:
        shutil.rmtree(artifacts, ignore_errors=True)
        artifacts.touch()
        return formula(cfg)

    with pytest.raises(StudyStopped) as stopped:
        studies.run(*RANDOM, "search.n_trials=2", task=task)
    assert "Study one: 2 complete" in capsys.readouterr().out
    assert "2 of 2 trials are saved" in str(stopped.value)
    assert "when this is mended, the same command goes on: " in str(stopped.value)
    assert "\n" not in str(stopped.value)
    artifacts.unlink()
    assert len(results(studies.run(*RANDOM, "search.n_trials=2"))) == 2
