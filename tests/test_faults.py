"""Promise 5 under faults that are caused for real: kills, Ctrl-C, a full disk, a store that cannot be written."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ridgeline.entry_points import ROOT
from sweeping import OWN_COLUMNS, results, table

pytestmark = [pytest.mark.verify, pytest.mark.alone]

COMMAND = [sys.executable, str(ROOT / "pipelines" / "train.py"), "-m", "search.study_name=one"]
TINY = ["network.hidden=[8]", "data.examples=200", "optimizer.lr=0.02", "trainer.max_epochs=4"]
SEARCH = [*TINY, "search=bayes", "search.n_startup_trials=8", "trainer.enable_progress_bar=false"]
SEARCH += ["hydra.launcher.workers=2", "hydra.launcher.stack_size=2"]
ASHA = ["search/pruner=asha", "search.pruner.min_resource=1"]
SOON = 9.0
"""Seconds that `docker stop` grants, about; a quiet machine needs two."""

NUMBERS = (*OWN_COLUMNS, "number", "job_dir")
"""A trial that was just being asked for leaves its number unused."""


class Command:
    """A study of the real pipeline, as a process that may be disturbed."""

    def __init__(self, runs: Path, *arguments: str) -> None:
        self.folder, self.arguments = runs / "studies" / "one", [*COMMAND, *SEARCH, f"runs={runs}", *arguments]
        self.errors = ""

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def run(self) -> int:
        return self.end(self.start())

    def end(self, process: subprocess.Popen[str]) -> int:
        """The exit code; what it said is in `errors`."""
        self.errors = process.communicate(timeout=300)[1]
        return process.returncode

    def lines(self) -> int:
        """Of the journal: everything that Optuna was told."""
        with suppress(FileNotFoundError):
            return (self.folder / "journal.log").read_bytes().count(b"\n")
        return 0

    def told(self) -> int:
        return len(list(self.folder.glob("jobs/*/history.csv")))

    def wait(self, process: subprocess.Popen[str], until: Callable[[], bool]) -> bool:
        """False if the process ended by itself before."""
        while not until():
            if process.poll() is not None:
                return False
            time.sleep(0.001)
        return True


def check_store(store: Path, folder: Path) -> None:
    """Every trial has its run, with its end, its curve and the numbers at the end, once; no other is COMPLETE."""
    client, rows = MlflowClient(f"sqlite:///{store}"), [row for row in table(folder) if row["state"] != "INTERRUPTED"]
    for row in rows:
        run = client.get_run(row["run_id"])
        assert run.data.tags["ridgeline.state"] == row["state"]
        assert run.info.status == {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}[row["state"]]
        steps = [point.step for point in client.get_metric_history(row["run_id"], "val/loss")]
        assert sorted(steps) == list(range(1, int(row["epochs"]) + 1))
        assert set(run.data.params) == {"regularization.l2", "regularization.dropout"}
        if row["state"] == "COMPLETE":
            assert run.data.metrics["values/val_loss"] == float(row["final/val_loss"])
            assert run.data.metrics["values/best_epoch"] == float(row["best_epoch"])
    experiment = client.get_experiment_by_name("ridgeline")
    assert experiment is not None
    children = client.search_runs([experiment.experiment_id], "tags.`ridgeline.kind` = 'trial'", max_results=5000)
    ended = {run.info.run_id for run in children if run.data.tags["ridgeline.state"] != "INTERRUPTED"}
    assert ended == {row["run_id"] for row in rows}
    (parent,) = {run.data.tags["mlflow.parentRunId"] for run in children}
    curve = sorted(client.get_metric_history(parent, "best/val/loss"), key=lambda point: point.step)
    complete = [row for row in rows if row["state"] == "COMPLETE"]
    assert [point.step for point in curve] == [int(row["number"]) for row in complete]
    assert min(point.value for point in curve) == min(float(row["value"]) for row in complete)


def test_killed_right_after_a_trial_was_told_its_run_is_completed(tmp_path: Path) -> None:
    command = Command(tmp_path / "runs", "search.n_trials=8")
    process = command.start()
    assert command.wait(process, lambda: command.told() >= 3)
    process.kill()
    process.wait()
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("ridgeline")
    assert experiment is not None
    ended = [run.info.status for run in client.search_runs([experiment.experiment_id])].count("FINISHED")
    print(
        f"killed when {command.told()} trials were told and {ended} runs had their end"
    )  # mostly none: they come late
    assert command.run() == 0
    check_store(tmp_path / "runs" / "mlflow.db", command.folder)
    assert len(results(command.folder)) == 8


def statuses(store: Path) -> list[str]:
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("ridgeline")
    assert experiment is not None
    return [run.info.status for run in client.search_runs([experiment.experiment_id], max_results=5000)]


@pytest.mark.parametrize(("pruner", "kills"), [([], 20), (ASHA, 10)], ids=["none", "asha"])
def test_kills_and_signals_at_random_moments_change_nothing(pruner: list[str], kills: int, tmp_path: Path) -> None:
    command, moments = Command(tmp_path / "killed", "search.n_trials=64", *pruner), random.Random(len(pruner))
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    codes = list[int]()
    for kill in range(kills):
        process, goal = command.start(), command.lines() + moments.randint(1, 560 // kills)
        assert command.wait(process, lambda goal=goal: command.lines() >= goal), process.communicate()[1]
        time.sleep(moments.random() * 0.02)
        process.send_signal(signals[kill % 4])
        codes.append(command.end(process))
    assert set(codes) <= {-signal.SIGKILL, 130}, codes
    assert command.run() == 0, command.errors
    assert "RUNNING" not in statuses(tmp_path / "killed" / "mlflow.db")
    whole = Command(tmp_path / "whole", "search.n_trials=64", *pruner)
    assert whole.run() == 0, whole.errors
    assert results(command.folder, without=NUMBERS) == results(whole.folder, without=NUMBERS)
    assert len(results(command.folder)) == 64
    check_store(tmp_path / "killed" / "mlflow.db", command.folder)


def test_ctrl_c_ends_soon_and_says_what_is_saved(tmp_path: Path) -> None:
    command, seconds = Command(tmp_path / "runs", "search.n_trials=90"), list[float]()
    for told in (20, 50):
        process = command.start()
        assert command.wait(process, lambda told=told: command.told() >= told)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.wait()
        seconds.append(time.monotonic() - began)
        assert command.end(process) == 130
        saved = len(results(command.folder)) - [row["state"] for row in table(command.folder)].count("RUNNING")
        words = f"Interrupted: {saved} of 90 trials are saved in {command.folder}; the same command goes on.\n"
        assert command.errors.endswith(words)
    print(f"ended {seconds} s after the signal")
    assert min(seconds) < SOON
    assert command.run() == 0, command.errors
    check_store(tmp_path / "runs" / "mlflow.db", command.folder)  # what there was no time for is there now


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A file system of its own; needs root."""
    folder.mkdir()
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"needs a file system of its own, but mount says: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(path: Path) -> None:
    """All that the disk has."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (2**20, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


def whole(tmp_path: Path) -> list[dict[str, str]]:
    command = Command(tmp_path / "whole", "search.n_trials=24")
    assert command.run() == 0, command.errors
    return results(command.folder, without=NUMBERS)


def said(command: Command) -> list[str]:
    print(command.errors)
    return [line for line in command.errors.splitlines() if line]


def test_full_disk_ends_the_study_with_one_line_and_with_room_it_goes_on(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=48m", "tmpfs") as disk:
        command = Command(disk / "runs", "search.n_trials=24")
        process = command.start()
        assert command.wait(process, lambda: command.told() >= 5)
        fill(disk / "filler")
        assert command.end(process) == 1
        line = said(command)[-1]
        assert "No space left on device" in line
        assert "of 24 trials are saved" in line
        assert len(said(command)) <= 3, command.errors  # MLflow's store is on that disk too
        (disk / "filler").unlink()
        assert command.run() == 0, command.errors
        assert results(command.folder, without=NUMBERS) == whole(tmp_path)
        check_store(disk / "runs" / "mlflow.db", command.folder)


def test_store_on_a_full_disk_lacks_nothing_later(tmp_path: Path) -> None:
    with mounted(tmp_path / "store", "-t", "tmpfs", "-o", "size=48m", "tmpfs") as disk:
        store = disk / "mlflow.db"
        command = Command(tmp_path / "runs", "search.n_trials=24", f"tracking.uri=sqlite:///{store}")
        process = command.start()
        assert command.wait(process, lambda: command.told() >= 3)
        fill(disk / "filler")
        assert command.end(process) == 1
        line = said(command)[-1]
        assert "No space left on device" in line  # and not in the words of SQLite
        assert "of 24 trials are saved" in line
        assert len(said(command)) <= 3, command.errors  # when it happens, what is not written, the end
        (disk / "filler").unlink()
        assert command.run() == 0, command.errors
        assert results(command.folder, without=NUMBERS) == whole(tmp_path)
        check_store(store, command.folder)


def test_store_that_becomes_read_only_lacks_nothing_later(tmp_path: Path) -> None:
    store = tmp_path / "store" / "mlflow.db"
    command = Command(tmp_path / "runs", "search.n_trials=24", f"tracking.uri=sqlite:///{store}")
    if os.geteuid() == 0:  # whom permissions stop only without this capability
        if shutil.which("setpriv") is None:
            pytest.skip("as root it needs setpriv, of util-linux")
        command.arguments = ["setpriv", "--bounding-set=-dac_override", *command.arguments]
    process = command.start()
    assert command.wait(process, lambda: command.told() >= 3)
    store.parent.chmod(0o555)  # where SQLite puts its journal
    store.chmod(0o444)
    assert command.end(process) == 1, command.errors
    line = said(command)[-1]
    assert "of 24 trials are saved" in line
    assert len(said(command)) <= 3, command.errors
    store.parent.chmod(0o755)
    store.chmod(0o644)
    assert command.run() == 0, command.errors
    assert results(command.folder, without=NUMBERS) == whole(tmp_path)
    check_store(store, command.folder)
