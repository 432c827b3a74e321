"""Any MLflow server is a store: also one that goes away, and comes back or not."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ridgeline.config import ConfigError
from ridgeline.tracking import Tracker, TrackingError, check_store, store_uri, writer
from test_tracking import DESCRIPTION, configuration

pytestmark = [pytest.mark.verify, pytest.mark.alone]


class Server:
    """`mlflow server` on a port of its own, with what it stores in `folder`, or in the SQLite file `store`."""

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.store = store or folder / "server.db"
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = {
            "--backend-store-uri": f"sqlite:///{self.store}",
            "--artifacts-destination": str(self.folder / "artifacts"),
            "--host": "127.0.0.1",
            "--port": str(self.port),
            "--workers": "1",
        }
        command = [sys.executable, "-m", "mlflow", "server", *(word for pair in options.items() for word in pair)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(1800):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                return
            time.sleep(0.1)
        raise TimeoutError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture
def server(folder):
    server = Server(folder)
    server.start()
    yield server
    server.stop()


def test_a_trial_is_written_to_a_server(server, tmp_path):
    config = configuration(tmp_path / "runs", uri=server.uri)
    check_store(config)
    with Tracker(config) as tracker:
        study = tracker.start_study("served", config, DESCRIPTION, {})
        run = tracker.start_trial(config, DESCRIPTION, tmp_path)
        run.log_epoch(0, {"val/loss": 0.5})
        run.finish("PRUNED", "worse than the median")
        study.finish("COMPLETE")
    client = MlflowClient(server.uri)
    found = client.get_run(run.id)
    assert (found.info.status, found.data.metrics) == ("KILLED", {"val/loss": 0.5})
    assert found.data.tags["ridgeline.reason"] == "worse than the median"
    assert "optimizer" in Path(client.download_artifacts(run.id, "config.yaml", str(tmp_path))).read_text()
    assert not (tmp_path / "runs").exists()  # nothing is kept beside the server


def test_a_server_that_goes_away_and_comes_back_loses_and_doubles_nothing(server, tmp_path, caplog):
    caplog.set_level("INFO", "ridgeline.tracking")
    config = configuration(tmp_path / "runs", uri=server.uri)
    with Tracker(config) as tracker:
        first = tracker.start_trial(config, DESCRIPTION, tmp_path / "first")
        first.log_epoch(0, {"val/loss": 1.0})
        assert first.id
        server.stop()
        began = time.monotonic()
        for epoch in range(1, 50):
            first.log_epoch(epoch, {"val/loss": 1 / (epoch + 1)})
        second = tracker.start_trial(config, DESCRIPTION, tmp_path / "second")  # while nobody answers
        second.log_epoch(0, {"val/loss": 2.0})
        second.log_text("text", "notes/text.txt")
        first.finish("COMPLETE")
        second.finish("FAILED", "out of luck")
        assert time.monotonic() - began < writer.PATIENCE_SECONDS  # training does not wait for the store
        time.sleep(4)
        server.start()
    client = MlflowClient(server.uri)
    curve = client.get_metric_history(first.id, "val/loss")
    assert [(point.step, point.value) for point in curve] == [(epoch, 1 / (epoch + 1)) for epoch in range(50)]
    assert client.get_run(first.id).info.status == "FINISHED"
    assert client.get_run(second.id).info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(second.id, "notes")] == ["notes/text.txt"]
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    jobs = [run.data.tags.get("ridgeline.job") for run in client.search_runs([experiment.experiment_id])]
    assert jobs.count(str(tmp_path / "second")) == 1
    assert [r.levelname for r in caplog.records if r.name == "ridgeline.tracking"] == ["WARNING", "INFO"]


def test_a_server_that_stays_away_is_reported_at_the_end_in_one_line(server, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 3.0)
    config = configuration(tmp_path / "runs", uri=server.uri)
    tracker = Tracker(config)
    run = tracker.start_trial(config, DESCRIPTION, tmp_path)
    run.log_epoch(0, {"val/loss": 1.0})
    assert run.id
    time.sleep(2)
    server.stop()
    run.log_epoch(1, {"val/loss": 0.5})
    run.finish("COMPLETE")
    began = time.monotonic()
    with pytest.raises(TrackingError, match=r"not written: .*x metrics, .*1 x tags, 1 x end of run .*refused") as error:
        tracker.close()
    assert time.monotonic() - began < 30
    assert "\n" not in str(error.value)


def test_a_server_that_never_answers_is_refused_after_four_seconds(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ConfigError, match="no answer within 4 s"):
            check_store(configuration(tmp_path / "runs", uri=uri))
        assert 4 <= time.monotonic() - began < 30  # asked once, and not again and again


def test_processes_that_start_together_make_one_store(tmp_path):
    program = (
        "import sys; from pathlib import Path; from ridgeline.tracking import Tracker\n"
        "from test_tracking import DESCRIPTION, configuration\n"
        "runs, number = Path(sys.argv[1]), sys.argv[2]\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with Tracker(configuration(runs)) as tracker:\n"
        "    run = tracker.start_trial(configuration(runs), DESCRIPTION, runs / number)\n"
        "    run.log_epoch(0, {'val/loss': 0.5})\n"
        "    run.finish('COMPLETE')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", program, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, str(number)], env=environment, **pipes) for number in range(4)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.close()
    assert [process.wait(300) for process in processes] == [0] * 4
    config = configuration(tmp_path)
    client = MlflowClient(store_uri(config))
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    assert {run.data.tags["ridgeline.job"] for run in runs} == {str(tmp_path / str(number)) for number in range(4)}
