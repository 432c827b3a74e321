"""What a study looks like in MLflow's UI: a description, tables with the right columns, the machine's load."""

import json
import time
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from mlflow import MlflowClient
from mlflow.entities import Run
from omegaconf import DictConfig

from browser import INSTALL, PROGRAM, Browser
from ridgeline.entry_points import checked
from ridgeline.tracking import Tracker, machine
from ridgeline.tracking.address import run_page, table_page
from ridgeline.tracking.machine import machine_metrics
from ridgeline.tracking.run import StudyRun
from ridgeline.tracking.views import STUDIES, as_tag, study_view
from ridgeline.trial.run import Outcome, run_trial
from settings import small
from sweeping import Studies, table
from test_tracking import DESCRIPTION, configuration
from test_tracking_server import Server

pytestmark = pytest.mark.alone

BAYES = ("search=bayes", "search.n_trials=6", "search.n_startup_trials=2", "trainer.max_epochs=2")


def train(cfg: DictConfig) -> Outcome:
    """What pipelines/train.py does."""
    return run_trial(checked(cfg), Path(HydraConfig.get().runtime.output_dir))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="module")
def folder(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a study that is in MLflow."""
    return Studies(tmp_path_factory.mktemp("runs"), store).run(*BAYES, task=train)


@pytest.fixture
def client(store: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{store}")


@pytest.fixture
def parent(folder: Path, client: MlflowClient) -> Run:
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(ids, f"tags.`ridgeline.kind` = 'study' and tags.`ridgeline.study` = '{folder.name}'")
    return run


def best_row(folder: Path) -> dict[str, str]:
    return min(table(folder), key=lambda row: float(row["value"]))


def test_the_description_says_what_was_searched_the_best_and_how_to_go_on(folder: Path, parent: Run) -> None:
    note, best = parent.data.tags["mlflow.note.content"], best_row(folder)
    assert note.startswith(
        f"**val/loss {float(best['value']):.4g}** in trial {best['number']}, the best of 6 complete,"
    )
    assert f"| regularization.l2 | tag(log, interval(1e-6, 1e-1)) | {float(best['regularization.l2']):.4g} |" in note
    assert f"viewStateShareKey={folder.name}" in note
    assert " tracking.keep_weights=0 search=bayes search.n_trials=6" in note  # the command as it was typed
    for entry_point in ("confirm", "report"):
        assert f"{entry_point}.py study={folder.name} runs={folder.parent.parent}`" in note
    assert len(note) < 5000


def test_the_studys_row_has_the_numbers_of_its_best_trial(folder: Path, parent: Run, client: MlflowClient) -> None:
    best = best_row(folder)
    for name in ("val_loss", "val_error", "gap"):
        assert parent.data.metrics[f"values/{name}"] == float(best[f"final/{name}"])
    assert parent.data.metrics["best/val/loss"] == float(best["value"])
    points = client.get_metric_history(parent.info.run_id, "trial/val/loss")
    assert {point.step: point.value for point in points} == {int(r["number"]): float(r["value"]) for r in table(folder)}
    assert "val/loss" not in parent.data.metrics  # the last trial's would stand beside the others' own


def test_a_trials_run_is_named_for_what_it_tried(folder: Path, client: MlflowClient) -> None:
    for row in table(folder):
        name = client.get_run(row["run_id"]).info.run_name.split()
        assert name[:3] == ["trial", f"{int(row['number']):03d}", "l2"]
        assert float(name[3]) == pytest.approx(float(row["regularization.l2"]), rel=0.05)
        assert name[4] == "dropout"
        assert float(name[5]) == pytest.approx(float(row["regularization.dropout"]), rel=0.05)


def test_a_trials_run_has_what_it_tried_its_data_and_a_description_and_its_study_has_the_rest(
    folder: Path, parent: Run, client: MlflowClient
) -> None:
    common = parent.data.params
    assert common["regularization.l2"] == "searched: tag(log, interval(1e-6, 1e-1))"
    assert (common["optimizer.name"], common["data.name"]) == ("adam", "digits")
    assert parent.inputs.dataset_inputs[0].dataset.name == "digits"
    for row in table(folder):
        run = client.get_run(row["run_id"])
        assert run.data.params == {key: row[key] for key in ("regularization.l2", "regularization.dropout")}
        (data,) = run.inputs.dataset_inputs
        assert data.dataset.name == "digits"
        note = run.data.tags["mlflow.note.content"]
        assert note.startswith(f"Trial {row['number']} of the study [{folder.name}](#/experiments/")
        assert f"`regularization.l2={row['regularization.l2']}`" in note


def test_what_is_one_number_comes_after_the_curves(folder: Path, client: MlflowClient) -> None:
    metrics = client.get_run(table(folder)[0]["run_id"]).data.metrics
    prefixes = sorted({name.partition("/")[0] for name in metrics})
    assert prefixes[-1] == "values"
    assert metrics["values/best_epoch"] == float(table(folder)[0]["best_epoch"])


def test_swept_choices_and_values_that_follow_are_what_a_trial_has_of_its_own(store: Path, tmp_path: Path) -> None:
    sweep = ("optimizer=adam,sgd", "seed=3", "trainer.max_epochs=1", "hydra/launcher=basic")
    folder = Studies(tmp_path, store).run(*sweep, task=train)
    client = MlflowClient(f"sqlite:///{store}")
    runs = [client.get_run(row["run_id"]) for row in table(folder)]
    assert [run.info.run_name for run in runs] == ["trial 000 optimizer adam", "trial 001 optimizer sgd"]
    assert [run.data.params["optimizer"] for run in runs] == ["adam", "sgd"]
    assert runs[0].data.params == {"optimizer": "adam"}
    assert runs[1].data.params["optimizer.name"] == "sgd"
    assert "seed" not in runs[1].data.params


def test_a_trial_that_went_well_has_no_reason(folder: Path, client: MlflowClient) -> None:
    for row in table(folder):
        assert "ridgeline.reason" not in client.get_run(row["run_id"]).data.tags


def test_a_study_has_its_table_in_the_menu_of_views(folder: Path, parent: Run, client: MlflowClient) -> None:
    tags = client.get_experiment(parent.info.experiment_id).tags
    saved = json.loads(tags[f"mlflow.sharedViewState.{folder.name}"])
    state = json.loads(saved["state"])
    assert (saved["name"], state["orderByKey"], state["orderByAsc"]) == (folder.name, "metrics.`values/val_loss`", True)
    assert {"params.`regularization.l2`", "params.`regularization.dropout`"} < set(state["selectedColumns"])
    found = client.search_runs([parent.info.experiment_id], state["searchFilter"])
    assert {run.info.run_id for run in found} == {row["run_id"] for row in table(folder)}
    assert f"mlflow.sharedViewState.{STUDIES.name}" in tags


def test_a_view_of_many_keys_is_no_longer_than_a_tag() -> None:
    keys = [f"regularization.some_knob_with_a_long_name.{i}" for i in range(100)]
    assert len(as_tag(study_view("s" * 60, small(metric="val/error"), keys)).value) <= 5000


def test_a_view_has_the_largest_first_where_large_is_better() -> None:
    saved = json.loads(as_tag(study_view("s", small(metric="val/auroc"), [])).value)
    state = json.loads(saved["state"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`values/val_auroc`", False)


def test_the_machines_load_is_in_the_studys_run(
    folder: Path, client: MlflowClient, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "SECONDS", 0.05)
    began, logged = time.monotonic(), list[int]()
    log_epoch = StudyRun.log_epoch
    monkeypatch.setattr(StudyRun, "log_epoch", lambda *given: logged.append(1) or log_epoch(*given))
    config = configuration(tmp_path, uri=f"sqlite:///{store}")
    with Tracker(config) as tracker:
        study = tracker.start_study("watched", config, DESCRIPTION, {})
        with machine_metrics(study):
            while len(logged) < 3:  # keeping a processor busy, for as long as it takes
                pass
        study.finish("COMPLETE")
        most = (time.monotonic() - began) / 0.05 + 1
    busy = client.get_metric_history(study.id, "system/cpu_utilization_percentage")
    assert 3 <= len(busy) <= most
    assert all(0 <= point.value <= 100 for point in busy)
    assert max(point.value for point in busy) > 0  # this process kept one of them busy
    memory = client.get_metric_history(study.id, "system/system_memory_usage_percentage")
    assert all(0 < point.value < 100 for point in memory)


@pytest.mark.verify
@pytest.mark.skipif(PROGRAM is None, reason=INSTALL)
def test_the_ui_shows_the_trials_of_a_study_the_best_first(
    folder: Path, parent: Run, store: Path, tmp_path: Path
) -> None:
    best = best_row(folder)
    server = Server(tmp_path, store)
    server.start()
    try:
        with Browser() as browser:
            browser.open(f"{server.uri}/{table_page(folder.name, parent.info.experiment_id)}")
            links = "[...document.querySelectorAll('[role=row] a')].map(a => a.textContent)"
            names = f"{links}.filter(text => text.startsWith('trial'))"
            browser.wait(f"{names}.length == 6")
            shown = browser.value(names)
            ordered = sorted(table(folder), key=lambda row: float(row["value"]))
            assert [name[:9] for name in shown] == [f"trial {int(row['number']):03d}" for row in ordered]
            browser.open(f"{server.uri}/{run_page(parent.info.run_id, parent.info.experiment_id)}")
            browser.wait(f"document.body.innerText.includes('val/loss {float(best['value']):.4g} in trial')")
    finally:
        server.stop()
