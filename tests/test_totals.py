"""`search.n_trials` is the number of trials that a study ends with (issue 12, A.13)."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from ridgeline.search.open_trials import OpenTrials
from ridgeline.search.records import StudyStopped
from ridgeline.stack.source import Fit
from sweeping import Studies, table
from test_stacked_study import train

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
        if len([t for t in self.study.trials if t.state.is_finished()]) == 3:
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
