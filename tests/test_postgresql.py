"""Promises 4 and 5 for a study that a PostgreSQL server stores."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from ridgeline.checking import ConfigError
from ridgeline.command_line import passwords
from ridgeline.command_line.passwords import hidden
from ridgeline.entry_points import ROOT
from ridgeline.evaluation.stored import open_study
from settings import small
from sweeping import OWN_COLUMNS, Studies, results, table
from test_stacked_study import BAYES, SLOTS

pytestmark = pytest.mark.alone

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
PASSWORD = "swordfish"
MISSING = [] if PROGRAMS else ["apt-get install postgresql"]
MISSING += [] if importlib.util.find_spec("psycopg") else [".venv/bin/python -m pip install 'psycopg[binary]'"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def on_postgresql(test: Callable[..., None]) -> Callable[..., None]:
    """A slow test that needs the server and its driver."""
    return pytest.mark.verify(pytest.mark.skipif(bool(MISSING), reason=" and ".join(MISSING))(test))


def server_program(name: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """One of PostgreSQL's own, which refuse root."""
    as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    return subprocess.Popen([*as_other, PROGRAMS[-1] / name, *arguments], cwd="/", **QUIET)


class Database:
    """A server of its own on a free port, which asks for a password."""

    def __init__(self, folder: Path) -> None:
        secret, self.folder = folder / "password", folder
        secret.write_text(PASSWORD)
        if os.getuid() == 0:
            for each in (folder, secret):
                shutil.chown(each, "postgres", "postgres")
        access = ("--username=ridge", "--auth=scram-sha-256", f"--pwfile={secret}")
        assert server_program("initdb", "--pgdata", folder / "data", *access).wait() == 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        self.url = f"postgresql+psycopg://ridge:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        place = ("-D", self.folder / "data", "-p", self.port, "-h", "127.0.0.1", "-k", self.folder)
        self.server = server_program("postgres", *place, "-c", "fsync=off")
        while server_program("pg_isready", "-h", "127.0.0.1", "-p", self.port).wait() != 0:
            assert self.server.poll() is None
            time.sleep(0.1)

    def stop(self, how: signal.Signals) -> None:
        self.server.send_signal(how)
        self.server.wait()


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="ridgeline-") as name:  # pytest's own folders are closed to others
        database = Database(Path(name))
        database.start()
        yield database
        database.stop(signal.SIGQUIT)


@pytest.fixture
def url(database: Database) -> str:
    return database.url


def command(runs: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "pipelines" / "train.py"), "-m", *BAYES, *SLOTS, f"runs={runs}", *more]


@on_postgresql
def test_killed_study_goes_on_to_the_table_of_the_journal(url: str, tmp_path: Path) -> None:
    runs, stored = tmp_path / "killed", f"search.storage={url}"
    process = subprocess.Popen(command(runs, stored), **QUIET)
    while len(list(runs.glob("studies/*/jobs/*/history.csv"))) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(command(runs, stored), check=True, capture_output=True, text=True)
    subprocess.run(command(tmp_path / "whole"), check=True, **QUIET)
    (killed,), (whole,) = runs.glob("studies/*"), tmp_path.glob("whole/studies/*")
    without = (*OWN_COLUMNS, "number", "job_dir")  # killed while it was asked for, a trial leaves its number unused
    assert results(killed, without=without) == results(whole, without=without)
    study = optuna.load_study(study_name=killed.name, storage=url)
    states = [trial.state.name for trial in study.trials]
    assert states.count("COMPLETE") == len(results(whole)) == 14
    assert states.count("FAIL") == len(states) - 14 <= 1
    assert [row["state"] for row in table(killed)].count("COMPLETE") == 14
    said = done.stdout + done.stderr
    assert PASSWORD not in said
    written = [path for path in runs.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert written == []


@on_postgresql
def test_study_waits_for_a_server_that_restarts(database: Database, tmp_path: Path) -> None:
    arguments = ("search.study_name=restarted", "search.n_trials=40", f"search.storage={database.url}")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command(tmp_path / "runs", *arguments), **pipes)
    while len(list(tmp_path.glob("runs/studies/*/jobs/*/history.csv"))) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    database.stop(signal.SIGINT)  # its clients are cut off
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if "The study waits for it." in line:  # whenever it is that the study needs the server
            break
    database.start()
    said += process.communicate(timeout=200)[0]
    assert process.returncode == 0, said
    assert "does not answer" in said
    assert "The study waits for it." in said
    assert PASSWORD not in said
    assert [row["state"] for row in results(tmp_path / "runs" / "studies" / "restarted")] == ["COMPLETE"] * 40


@on_postgresql
def test_wrong_password_is_refused_in_one_line_without_it(url: str, tmp_path: Path) -> None:
    wrong = url.replace(PASSWORD, "sailfish")
    done = subprocess.run(command(tmp_path / "runs", f"search.storage={wrong}"), capture_output=True, text=True)
    assert done.returncode != 0
    assert "`search.storage can be opened` must hold" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "sailfish" not in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ridge:a@b:c@host:5432/name", "postgresql://ridge:***@host:5432/name"),
        ("postgresql://ridge:a/b@host/name", "postgresql://ridge:***@host/name"),
        ("postgresql://host/name?user=ridge&password=a&x=1", "postgresql://host/name?user=ridge&password=***&x=1"),
        ("postgresql://ridge@host/name", "postgresql://ridge@host/name"),
        ("sqlite:////folder/name.db", "sqlite:////folder/name.db"),
    ],
)
def test_password_of_a_url_is_not_said(url: str, said: str) -> None:
    assert hidden(url) == said


def test_database_that_cannot_be_opened_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Studies(tmp_path, tmp_path / "mlflow.db").plan(*BAYES, "search.storage='nosuch://ridge:swordfish@host/name'")
    assert "nosuch://ridge:***@host/name" in str(refused.value)
    assert PASSWORD not in str(refused.value)


@on_postgresql
def test_a_stored_study_is_opened_with_the_password_that_its_files_do_not_have(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    given = ["search=random", "search.n_trials=3", "search.study_name=kept", "hydra/launcher=basic"]
    studies.run(*given, f"search.storage='{url}'")
    asked = small(runs=str(studies.runs))
    monkeypatch.setattr(passwords, "_real", {})  # as in another process
    with pytest.raises(ConfigError, match=r"password of search\.storage is stored nowhere: add search\.storage"):
        open_study(asked, "kept")
    stored = open_study(replace(asked, search=replace(asked.search, storage=url)), "kept")
    assert len(stored.study.get_trials()) == 3
    assert stored.config_of(2).network.name == "mlp"
