"""A study whose trials are a LightningModule of the user's own: what promises 2, 4, 5 and 6 say of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from ridgeline.search.endings import StudyStopped
from ridgeline.search.sources import OpenTrials
from ridgeline.stack.source import Fit
from sweeping import Studies, results, table
from test_stacked_study import train

MODULE = ("model._target_=own_modules.Raises", "data._target_=own_modules.Blobs", "+model.lr=0.01")
ACCURACY = ("metric=val/acc", "search.direction=maximize", "trainer.max_epochs=4")
PRUNED = (
    "search=bayes",
    "~search.params",
    "model.lr=tag(log, interval(1e-4, 1))",
    "search.n_trials=12",
    "search.n_startup_trials=4",
    "search/pruner=median",
    "search.pruner.n_startup_trials=2",
    "search.pruner.n_warmup_steps=1",
    "hydra.launcher.workers=2",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


def typed(*arguments: str) -> list[str]:
    """The arguments as the pipeline hands them to Hydra."""
    from ridgeline.command_line.arguments import with_targets

    return with_targets(list(arguments))


@pytest.mark.verify
def test_a_pruned_study_stopped_anywhere_ends_with_the_same_table(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = typed(*MODULE, *ACCURACY, *PRUNED)
    whole = Studies(tmp_path / "whole", store).run(*command, task=train)
    states = [row["state"] for row in table(whole)]
    assert {"COMPLETE", "PRUNED", "FAILED"} == set(states)
    stopped, ended = Studies(tmp_path / "stopped", store), OpenTrials.ended

    def interrupt(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenTrials, "ended", interrupt)
    with pytest.raises(StudyStopped, match="5 of 12 trials are saved"):
        stopped.run(*command, task=train)
    monkeypatch.undo()
    assert results(stopped.run(*command, task=train)) == results(whole)


@pytest.mark.verify
def test_trials_in_worker_processes_end_bitwise_as_one_by_one(tmp_path: Path, store: Path) -> None:
    """Their loaders have processes of their own."""
    grid = typed(*MODULE, *ACCURACY, "model.lr=0.01,0.9", "seed=1,2", "data.num_workers=1")
    streamed = Studies(tmp_path / "streamed", store).run(*grid, task=train)
    single = Studies(tmp_path / "single", store).run(*grid, "hydra/launcher=basic", task=train)
    assert results(streamed)[:2] == results(single)[:2]
    rows, client = table(streamed), MlflowClient(f"sqlite:///{store}")
    assert [row["state"] for row in rows] == ["COMPLETE", "COMPLETE", "FAILED", "FAILED"]
    assert rows[2]["reason"].startswith("TrialFailed: ValueError: the cat sat on the keyboard (own_modules.py, line ")
    assert "++trainer.num_threads=1" in yaml.safe_load((streamed / "jobs/0/.hydra/overrides.yaml").read_text())
    for row in rows[:2]:
        found = client.get_run(row["run_id"]).data
        assert len(client.get_metric_history(row["run_id"], "val/acc")) == 4
        assert found.metrics["values/val_acc"] == float(row["value"]) == float(row["final/val_acc"])
        assert found.params["model.lr"] == row["model.lr"]
