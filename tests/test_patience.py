"""A study's database that is locked: it is waited for, and then there is one line."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from ridgeline.checking import ConfigError
from ridgeline.search import patience
from ridgeline.search.patience import PatientStorage, StorageAway
from ridgeline.search.storage import check_storage
from settings import small


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The database of `tmp_path`, held by another program."""
    optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/o.db")
    other = sqlite3.connect(tmp_path / "o.db", check_same_thread=False)
    yield other
    other.close()


def study_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> optuna.Study:
    monkeypatch.setattr(patience, "_engine_settings", lambda url: {"connect_args": {"timeout": 0.02}})
    return optuna.create_study(storage=PatientStorage(f"sqlite:///{tmp_path}/o.db"))


def test_locked_database_is_waited_for(
    tmp_path: Path, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    study = study_in(tmp_path, monkeypatch)
    locked.execute("BEGIN EXCLUSIVE")
    pause = PatientStorage._pause

    def release(self: PatientStorage, attempts: int) -> None:
        """At the second attempt, whenever that is."""
        if attempts == 2:
            locked.rollback()
        pause(self, attempts)

    monkeypatch.setattr(PatientStorage, "_pause", release)
    with caplog.at_level(logging.INFO, "ridgeline"):
        study.tell(study.ask(), 1.5)
    assert [(trial.number, trial.value) for trial in study.get_trials()] == [(0, 1.5)]
    ours = [record.levelname for record in caplog.records if record.name.startswith("ridgeline")]
    assert ours == ["WARNING", "INFO"]
    assert "does not answer (database is locked). The study waits for it." in caplog.text


def test_database_that_stays_locked_is_one_line_and_is_waited_for_once(
    tmp_path: Path, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_in(tmp_path, monkeypatch)
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.3)
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageAway) as away:
        study.ask()
    assert str(away.value) == f"search.storage=sqlite:///{tmp_path}/o.db does not answer (database is locked)"
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 60.0)
    began = time.monotonic()
    with pytest.raises(StorageAway):
        study.ask()
    assert time.monotonic() - began < 30


def test_database_of_another_program_is_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "o.db")) as other:
        other.execute("CREATE TABLE studies (a)")
        config = replace(small(), search=replace(small().search, storage=f"sqlite:///{tmp_path}/o.db"))
        with pytest.raises(ConfigError, match=r"can be opened` must hold, .*: its table studies is another program's$"):
            check_storage(config)
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("studies",)]
