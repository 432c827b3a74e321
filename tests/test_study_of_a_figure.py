"""A study of a figure that is the better the larger: of regression, in a stack, with a pruner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from optuna.study import StudyDirection

from ridgeline.search.ranking import best_settings, ran
from sweeping import Studies, table
from test_pruning import ASHA, stored
from test_stacked_study import train

R2 = ("data=diabetes", "metric=val/r2", "network.hidden=[8]", "optimizer.lr=0.02", "trainer.max_epochs=6")
SEARCH = ("search=bayes", "search.n_trials=10", "search.n_startup_trials=4", "tracking.keep_weights=2")
PARAMS = ("regularization.l2=tag(log, interval(1e-4, 10))",)
STACK = ("hydra.launcher.workers=1", "hydra.launcher.stack_size=4")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    studies = Studies(tmp_path_factory.mktemp("runs"), store)
    return studies.run(*R2, *SEARCH, *PARAMS, *ASHA, *STACK, task=train)


def test_the_largest_value_is_the_best_everywhere(folder: Path, store: Path) -> None:
    study, rows = stored(folder), table(folder)
    assert study.direction == StudyDirection.MAXIMIZE
    values = {row["number"]: float(row["value"]) for row in rows if row["state"] == "COMPLETE"}
    largest = max(values.values())
    assert largest > min(values.values())
    assert json.loads((folder / "summary.json").read_text())["best_value"] == largest == study.best_value
    assert best_settings(ran(study), study.direction)[0].value == largest
    kept = {path.parent.name for path in folder.glob("jobs/*/weights.safetensors")}
    assert kept == set(sorted(values, key=lambda number: -values[number])[:2])
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(folder.parent.parent.name)
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`ridgeline.kind` = 'study'")
    so_far = [point.value for point in client.get_metric_history(parent.info.run_id, "best/val/r2")]
    assert so_far == sorted(so_far)
    assert so_far[-1] == pytest.approx(largest)


def test_the_pruner_ends_no_trial_whose_value_is_the_largest(folder: Path) -> None:
    trials = stored(folder).trials
    pruned = [t for t in trials if t.state.name == "PRUNED"]
    assert pruned
    for trial in pruned:
        epoch = max(trial.intermediate_values)
        at_that_epoch = [t.intermediate_values[epoch] for t in trials if epoch in t.intermediate_values]
        assert trial.intermediate_values[epoch] < max(at_that_epoch)
