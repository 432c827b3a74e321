"""One process runs a study: whichever machine the others are on, and whichever store is shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from omegaconf import DictConfig

from ridgeline.checking import ConfigError
from ridgeline.search import holder
from ridgeline.search.folder import locked
from sweeping import Studies, formula, results

pytestmark = pytest.mark.alone

GRID = ("search.study_name=one", "regularization.l2=0,1e-4,1e-3", "hydra/launcher=basic")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(holder, "SILENT_SECONDS", 0.4)
    monkeypatch.setattr(holder, "SETTLE_SECONDS", 0.1)


def other_machine(folder: Path, beat: int = 0) -> None:
    """What a process of another machine that has the same folder writes."""
    me = {**holder._me(), "id": "other", "host": "node7", "machine": "another boot", "beat": beat}
    holder.FilePlace(folder / "holder.json").write(me)


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as refused, locked(folder):
        pass
    return str(refused.value)


def test_study_that_another_machine_runs_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "SILENT_SECONDS", 60.0)  # the first beat that is seen ends the wait
    ended = threading.Event()

    def beat() -> None:
        number = 0
        while not ended.wait(0.02):
            other_machine(tmp_path, number := number + 1)

    other_machine(tmp_path)
    thread = threading.Thread(target=beat)
    thread.start()
    line = refusal(tmp_path)
    ended.set()
    thread.join()
    assert "is already running: " in line
    assert f" on node7, process {os.getpid()}, since 2" in line
    assert "\n" not in line


def test_file_where_the_folder_must_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "studies").write_text("a file")
    said = r"studies/one is a folder` must hold, but .*: Not a directory\.$"
    with pytest.raises(ConfigError, match=said), locked(tmp_path / "studies" / "one"):
        pass


def test_study_of_a_machine_that_went_silent_is_taken_over(tmp_path: Path) -> None:
    other_machine(tmp_path)
    with locked(tmp_path):
        assert json.loads((tmp_path / "holder.json").read_text())["host"] != "node7"
    assert not (tmp_path / "holder.json").exists()


def test_study_of_a_killed_process_of_this_machine_is_taken_over_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "BEAT_SECONDS", 60.0)
    me = holder._me()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    (tmp_path / "holder.json").write_text(json.dumps({**me, "id": "killed", "pid": child.pid}))
    with locked(tmp_path):
        assert json.loads((tmp_path / "holder.json").read_text())["pid"] == os.getpid()


def test_process_whose_study_was_taken_over_stops(tmp_path: Path) -> None:
    stopped = False
    try:
        with locked(tmp_path):
            other_machine(tmp_path)  # which found no beat, for this process stood still
            for _ in range(200):
                time.sleep(0.05)
    except KeyboardInterrupt:
        stopped = True
    assert stopped
    assert json.loads((tmp_path / "holder.json").read_text())["host"] == "node7"


@pytest.mark.verify
def test_shared_storage_has_one_study_at_a_time_whatever_the_runs_folder(tmp_path: Path) -> None:
    storage, refused = f"search.storage=sqlite:///{tmp_path}/o.db", list[str]()
    first, second = (Studies(tmp_path / name / "runs", tmp_path / "mlflow.db") for name in "ab")
    (tmp_path / "second.py").write_text(SECOND)
    command = [sys.executable, str(tmp_path / "second.py"), str(second.runs), str(tmp_path / "mlflow.db")]

    def with_a_rival(cfg: DictConfig) -> object:
        if not refused:
            environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
            done = subprocess.run([*command, *GRID, storage], env=environment, capture_output=True, text=True)
            refused.append(done.stdout + done.stderr)
        return formula(cfg)

    table = results(first.run(*GRID, storage, task=with_a_rival))
    assert f"process {os.getpid()}, since " in refused[0]
    assert refused[0].startswith("The study one is already running: ")
    assert refused[0].count("\n") == 1
    assert [row["state"] for row in table] == ["COMPLETE"] * 3
    assert results(second.run(*GRID, storage)) == table  # it is free again, and complete


SECOND = """
import sys
from pathlib import Path
from ridgeline.checking import ConfigError
from sweeping import Studies
try:
    Studies(Path(sys.argv[1]), Path(sys.argv[2])).run(*sys.argv[3:])
except ConfigError as error:
    print(error)
"""


@pytest.mark.verify
def test_studies_of_one_name_in_one_tracking_store_have_a_run_each(tmp_path: Path) -> None:
    first, second = (Studies(tmp_path / name / "runs", tmp_path / "mlflow.db") for name in "ab")
    jobs = list[int]()

    def stop_in_the_third(cfg: DictConfig) -> object:
        jobs.append(0)
        if len(jobs) == 3:
            raise KeyboardInterrupt
        return formula(cfg)

    with pytest.raises(Exception, match="2 of 3 trials are saved"):
        first.run(*GRID, task=stop_in_the_third)
    second.run(*GRID)
    first.run(*GRID)
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("runs")
    assert experiment is not None
    every = client.search_runs([experiment.experiment_id])
    parents = [run.info.run_id for run in every if run.data.tags["ridgeline.kind"] == "study"]
    children = [run.data.tags["mlflow.parentRunId"] for run in every if run.data.tags["ridgeline.kind"] == "trial"]
    assert sorted(children.count(parent) for parent in parents) == [3, 3]
    assert {run.info.status for run in every} == {"FINISHED"}
