"""What is counted: the trials that a study ends with, epochs, the seconds of a trial (issue 12, A.13)."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ridgeline.search.records import StudyStopped
from ridgeline.search.sources import OpenTrials
from ridgeline.stack.source import Fit
from sweeping import Studies, table
from test_stacked_study import train

pytestmark = pytest.mark.alone

SHORT = ("data=wine", "network.hidden=[8]", "trainer.max_epochs=2", "hydra.launcher.workers=1")
BATCHES = "network.hidden=choice([8],[4])"


@pytest.mark.parametrize(
    ("more", "totals"),
    [
        ((), (5,)),
        pytest.param((), (5, 2, 7), marks=pytest.mark.verify),
        pytest.param((BATCHES,), (5, 2, 7), marks=pytest.mark.verify),
    ],
)
def test_total_is_exact_when_lowered_with_trials_in_flight_and_raised_again(
    more: tuple[str, ...], totals: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    command = (*SHORT, "search=bayes", "search.n_startup_trials=64", *more)
    ended = OpenTrials.ended

    def interrupt(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenTrials, "ended", interrupt)
    with pytest.raises(StudyStopped, match="3 of 60 trials are saved"):
        studies.run(*command, "search.n_trials=60", task=train)
    monkeypatch.undo()
    (folder,) = studies.folders()
    states = [row["state"] for row in table(folder)]
    assert states.count("RUNNING") >= 4
    for total in totals:
        studies.run(*command, f"search.n_trials={total}", task=train)
        found = [row["state"] for row in table(folder)]
        assert (found.count("COMPLETE"), found.count("RUNNING")) == (max(total, 5), 0)
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("runs")
    assert experiment is not None
    statuses = [run.info.status for run in client.search_runs([experiment.experiment_id], max_results=500)]
    assert statuses.count("RUNNING") == 0
    assert statuses.count("FINISHED") == max(totals) + 1  # the trials and the study


def test_epochs_and_seconds_are_counted_alike_in_words_files_and_mlflow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Epochs from 1, so that the best of 4 may be epoch 4; seconds are a trial's share of its stack's."""
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    began = time.monotonic()
    command = (
        "data=wine",
        "network.hidden=[8]",
        "trainer.max_epochs=4",
        "optimizer.lr=1e-2",
        "regularization.l2=0,1e-3",
    )
    folder = studies.run(*command, "hydra.launcher.workers=1", task=train)
    wall = time.monotonic() - began
    best_of_all, *_ = sorted(rows := table(folder), key=lambda row: float(row["value"]))
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    for row in rows:
        with (folder / row["job_dir"] / "history.csv").open(newline="") as file:
            history = list(csv.DictReader(file))
        assert [float(each["epoch"]) for each in history] == [1, 2, 3, 4]
        best = min(history, key=lambda each: float(each["val/loss"]))
        assert float(best["epoch"]) == int(row["best_epoch"]) == 4 == int(row["epochs"])
        points = client.get_metric_history(row["run_id"], "val/loss")
        assert [point.step for point in points] == [1, 2, 3, 4]
        assert client.get_run(row["run_id"]).data.metrics["values/best_epoch"] == 4
    out = capsys.readouterr().out
    head, first = (line.split() for line in out[out.index("trial  val/loss") :].splitlines()[:2])
    assert head[-3:] == ["best", "epoch", "seconds"]
    assert (first[0], first[-2]) == (best_of_all["number"], "4")
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds[0] == pytest.approx(seconds[1], rel=0.01)
    assert 0 < sum(seconds) < wall
