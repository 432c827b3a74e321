"""Exceptions of code that is not ours, inside a study: no finished trial is lost or doubled, and the rest says why."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from optuna.pruners import BasePruner
from optuna.trial import BaseTrial

from ridgeline.search.endings import StudyStopped
from ridgeline.search.sources import OpenTrials
from ridgeline.stack.source import Fit
from sweeping import Studies, results, table
from test_stacked_study import BAYES, ONE_WORKER, SLOTS, SMALL, train

CALM: list[bool] = []


class Nervous(BasePruner):
    """A user's pruner, which breaks at the sixth trial until it is mended."""

    def prune(self, study: Any, trial: Any) -> bool:
        if trial.number == 5 and not CALM:
            raise ValueError("my pruner is broken")
        return False


def states(store: Path, experiment: str) -> list[str]:
    client = MlflowClient(f"sqlite:///{store}")
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs = client.search_runs([found.experiment_id], "tags.`ridgeline.kind` = 'trial'")
    return [run.data.tags["ridgeline.state"] for run in runs]


@pytest.mark.verify
def test_broken_pruner_ends_the_study_and_mended_it_goes_on(tmp_path: Path) -> None:
    store, command = tmp_path / "mlflow.db", (*BAYES, *SLOTS, "+search.pruner._target_=test_user_errors.Nervous")
    studies = Studies(tmp_path / "runs", store)
    CALM.clear()
    with pytest.raises(StudyStopped, match="my pruner is broken"):
        studies.run(*command, task=train)
    assert "RUNNING" not in states(store, "runs")
    CALM.append(True)
    folder = studies.run(*command, task=train)
    assert len(results(folder)) == 14
    assert {row["state"] for row in table(folder)} == {"COMPLETE"}
    assert states(store, "runs").count("COMPLETE") == 14


@pytest.mark.verify
def test_exception_in_a_stack_fails_its_trials_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = OpenTrials.open

    def spoil(self: OpenTrials, trial: BaseTrial, tick: int) -> Fit:
        fit = opened(self, trial, tick)
        if fit.number == 5:  # a network of another shape, at which the worker's stack raises
            fit.config = dataclasses.replace(fit.config, network=dataclasses.replace(fit.config.network, hidden=(99,)))
        return fit

    monkeypatch.setattr(OpenTrials, "open", spoil)
    store = tmp_path / "mlflow.db"
    folder = Studies(tmp_path / "runs", store).run(
        *SMALL, "regularization.dropout=0.1,0.2", "seed=1,2,3,4,5,6", *ONE_WORKER, task=train
    )
    failed = {int(row["number"]) for row in table(folder) if row["state"] == "FAILED"}
    assert 5 in failed
    assert len(failed) <= 4
    assert all("differ in knobs only" in row["reason"] for row in table(folder) if int(row["number"]) in failed)
    assert sorted(states(store, "runs")) == sorted(row["state"] for row in table(folder))
