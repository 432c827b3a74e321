"""Studies and single runs end alike at Ctrl-C, SIGTERM and SIGHUP: soon, in order, as process 1 too."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ridgeline.entry_points import ROOT
from ridgeline.stack import interrupts as interrupting
from ridgeline.stack.interrupts import Interrupts
from ridgeline.tracking.writer import HASTE_SECONDS
from test_case_study import SMALL
from test_faults import SOON, Command, statuses

pytestmark = pytest.mark.alone

MANY = ["trainer.max_epochs=3", "search.n_trials=2000", "hydra.launcher.stack_size=24"]


def interrupted(act: Callable[[Interrupts], None]) -> bool:
    """Whether what is done while signals are held is ended by one."""
    interrupts = Interrupts()
    try:
        with interrupts.held():
            act(interrupts)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_is_held_back_until_it_does_no_harm(number: signal.Signals) -> None:
    done, before = [], signal.getsignal(number)

    def act(interrupts: Interrupts) -> None:
        os.kill(os.getpid(), number)
        done.append("whole")
        interrupts.check()

    assert interrupted(act)
    assert done == ["whole"]
    assert signal.getsignal(number) == before


def test_later_ctrl_c_ends_at_once_and_an_impatient_one_or_a_second_hangup_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []

    def act(interrupts: Interrupts) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):  # a shell and a cluster send several
            os.kill(os.getpid(), number)
        monkeypatch.setattr(interrupting, "IMPATIENT_SECONDS", 60)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        done.append("whole")
        monkeypatch.setattr(interrupting, "IMPATIENT_SECONDS", 0)
        os.kill(os.getpid(), signal.SIGINT)
        done.append("never")

    assert interrupted(act)
    assert done == ["whole"]


@pytest.mark.verify
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_to_all_processes_ends_a_study_soon_and_leaves_no_running_row(
    number: signal.Signals, tmp_path: Path
) -> None:
    command = Command(tmp_path / "runs", *MANY)
    process = subprocess.Popen(
        command.arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert command.wait(process, lambda: command.told() >= 150)
    lag = command.told() - statuses(tmp_path / "runs" / "mlflow.db").count("FINISHED")
    os.killpg(process.pid, number)  # workers and all, as a terminal, SLURM and systemd do
    began = time.monotonic()
    assert command.end(process) == 130
    took = time.monotonic() - began
    print(f"ended {took:.1f} s after the signal; MLflow was {lag} trials behind; {command.errors}")
    assert took < SOON
    assert command.errors.count("\n") == 1
    assert command.errors.startswith("Interrupted: ")
    if took < HASTE_SECONDS:  # beyond, on a machine that is very busy, the next start closes what is left
        assert "RUNNING" not in statuses(tmp_path / "runs" / "mlflow.db")


@pytest.mark.verify
def test_study_that_is_process_1_ends_at_sigterm(tmp_path: Path) -> None:
    command = Command(tmp_path / "runs", "search.n_trials=400")
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], check=False).returncode != 0:
        pytest.skip("needs unshare, of util-linux, as root")
    command.arguments = [*unshare, *command.arguments]
    process = command.start()
    assert command.wait(process, lambda: command.told() >= 5)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    (first,) = children.stdout.split()
    os.kill(int(first), signal.SIGTERM)
    assert command.end(process) == 130
    assert command.errors.startswith("Interrupted: ")
    assert "RUNNING" not in statuses(tmp_path / "runs" / "mlflow.db")


@pytest.mark.verify
def test_study_whose_terminal_is_closed_ends_in_order(tmp_path: Path) -> None:
    command = Command(tmp_path / "runs", "search.n_trials=400", "trainer.enable_progress_bar=true")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command.arguments[0], command.arguments)
    while command.told() < 5:
        os.set_blocking(terminal, False)
        try:
            os.read(terminal, 2**16)  # a terminal that shows what is written
        except BlockingIOError:
            time.sleep(0.01)
    os.close(terminal)  # SIGHUP, and stdout and stderr are gone
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert "RUNNING" not in statuses(tmp_path / "runs" / "mlflow.db")


@pytest.mark.verify
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_single_run_ends_soon_and_its_row_says_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    arguments = ["trainer.max_epochs=100000", "trainer.checkpoint_interval=0.2", "callbacks=none", f"runs={runs}"]
    command = [sys.executable, str(ROOT / "pipelines" / "train.py"), *arguments, "trainer.enable_progress_bar=false"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not list(runs.rglob("last.ckpt")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Interrupted. To go on: " in said
    assert "trainer.ckpt_path=" in said
    assert said.count("\n") == 1
    assert statuses(runs / "mlflow.db") == ["KILLED"]


@pytest.mark.verify
@pytest.mark.parametrize("pipeline", ["case_study", "claims", "confirm"])
def test_what_follows_a_study_ends_soon_too(pipeline: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    arguments = {"case_study": [*SMALL], "claims": [], "confirm": ["study=one", "confirm.seeds=2000"]}
    if pipeline == "confirm":
        assert Command(runs, "search.n_trials=8").run() == 0
    script = str(ROOT / "pipelines" / f"{pipeline}.py")
    process = subprocess.Popen(
        [sys.executable, script, *arguments[pipeline], f"runs={runs}"], stderr=subprocess.PIPE, text=True
    )
    begun = {"case_study": "studies/*/jobs/*", "claims": "claims/holder.json", "confirm": "studies/one/holder.json"}
    while not list(runs.glob(begun[pipeline])):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in said
    assert time.monotonic() - began < 2 * SOON
    if (runs / "mlflow.db").exists():
        assert "RUNNING" not in statuses(runs / "mlflow.db")
