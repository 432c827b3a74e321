"""A study as a whole: the same again, gone on with, bound to jobs and runs, and what fails in it (promises 4 to 6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from omegaconf import DictConfig
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ridgeline.config import ConfigError
from ridgeline.search.endings import StudyStopped
from ridgeline.search.folder import locked
from sweeping import Studies, formula, results, stopping, table

BAYES = ("search=bayes", "search.n_startup_trials=3")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture
def studies(tmp_path: Path, store: Path) -> Studies:
    return Studies(tmp_path / f"runs-{tmp_path.name}", store)


def runs_of(studies: Studies, store: Path, kind: str) -> list[Run]:
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(studies.runs.name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.`ridgeline.kind` = '{kind}'", max_results=500))


def test_same_command_gives_the_same_table(studies: Studies, tmp_path: Path, store: Path) -> None:
    first = studies.run(*BAYES, "search.n_trials=6")
    second = Studies(tmp_path / "elsewhere", store).run(*BAYES, "search.n_trials=6")
    assert first.name == second.name
    assert results(first) == results(second)
    assert len(results(first)) == 6


def test_started_again_it_is_found_complete_and_grows(
    studies: Studies, tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies.run(*BAYES, "search.n_trials=4")
    summary = (studies.folders()[0] / "summary.json").read_bytes()
    again = studies.run(*BAYES, "search.n_trials=4", task=stopping(0, AssertionError))
    assert (again / "summary.json").read_bytes() == summary
    assert "4 complete, 0 pruned, 0 failed" in capsys.readouterr().out
    grown = studies.run(*BAYES, "search.n_trials=7")
    at_once = Studies(tmp_path / "elsewhere", store).run(*BAYES, "search.n_trials=7")
    assert studies.folders() == [grown]
    assert results(grown) == results(at_once)


@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.verify), 3])
def test_stopped_anywhere_it_ends_with_the_same_table(
    n_jobs: int, studies: Studies, tmp_path: Path, store: Path
) -> None:
    command = (*BAYES, "search.n_trials=7", f"search.n_jobs={n_jobs}")
    with pytest.raises(StudyStopped, match="Interrupted: 4 of 7 trials are saved") as stopped:
        studies.run(*command, task=stopping(4, KeyboardInterrupt))
    assert stopped.value.code == 130
    resumed = studies.run(*command)
    whole = Studies(tmp_path / "elsewhere", store).run(*command)
    numbers = ("number", "job_dir")  # an interrupted trial keeps its own
    without = ("seconds", "run_id", *numbers)
    assert results(resumed, without=without) == results(whole, without=without)
    assert [row["state"] for row in table(resumed)].count("COMPLETE") == 7
    (parent,) = runs_of(studies, store, "study")
    assert parent.data.tags["ridgeline.state"] == "COMPLETE"
    states = {run.info.run_id: run.data.tags["ridgeline.state"] for run in runs_of(studies, store, "trial")}
    assert states == {row["run_id"]: row["state"] for row in table(resumed) if row["run_id"]}
    assert list(states.values()).count("INTERRUPTED") == 1


def test_finished_jobs_of_an_interrupted_batch_are_not_lost(studies: Studies) -> None:
    ran: list[int] = []

    def task(cfg: DictConfig) -> Any:
        ran.append(cfg.trial.number)
        return formula(cfg)

    with pytest.raises(StudyStopped):
        studies.run("seed=0,1,2,3,4", "search.n_jobs=5", task=stopping(3, KeyboardInterrupt))
    folder = studies.run("seed=0,1,2,3,4", "search.n_jobs=5", task=task)
    assert [row["seed"] for row in results(folder)] == ["0", "1", "2", "3", "4"]
    assert ran == [5, 6]  # under numbers of their own: 3 and 4 were interrupted
    assert [row["state"] for row in table(folder)][3:5] == ["INTERRUPTED", "INTERRUPTED"]


def test_trial_folder_and_run_lead_to_each_other(studies: Studies, store: Path) -> None:
    folder = studies.run("regularization.l2=0,1e-4,1e-3", "search.n_jobs=2")
    children = {run.data.tags["ridgeline.trial"]: run for run in runs_of(studies, store, "trial")}
    (parent,) = runs_of(studies, store, "study")
    assert len(children) == 3
    for row in table(folder):
        job, run = folder / row["job_dir"], children[row["number"]]
        assert job.name == row["number"]
        assert run.info.run_id == row["run_id"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["ridgeline.job"] == str(job)
        trained = yaml.safe_load((job / ".hydra" / "config.yaml").read_text())
        assert str(trained["regularization"]["l2"]) == row["regularization.l2"]
        assert trained["trial"] == {
            "study": folder.name,
            "number": int(row["number"]),
            "parent_run": parent.info.run_id,
        }


def test_best_trials_keep_weights_and_curves(studies: Studies, store: Path) -> None:
    folder = studies.run("regularization.l2=1e-1,1e-4,1e-2,1e-3", "tracking.keep_weights=2", "tracking.keep_members=0")
    assert sorted(path.parent.name for path in folder.glob("jobs/*/weights.safetensors")) == ["1", "3"]
    client = MlflowClient(f"sqlite:///{store}")
    kept = [
        row["number"]
        for row in table(folder)
        if {"weights", "curves.png"} <= {artifact.path for artifact in client.list_artifacts(row["run_id"])}
    ]
    assert kept == ["1", "3"]
    (parent,) = runs_of(studies, store, "study")
    logged = {artifact.path for artifact in client.list_artifacts(parent.info.run_id, "study")}
    assert {"study/trials.csv", "study/history.png", "study/slice.png"} <= logged
    assert parent.data.tags["best.trial"] == "1"


@pytest.mark.verify
def test_weights_for_an_ensemble_are_kept_as_far_as_there_is_room(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ridgeline.search.records.ROOM", 10)  # bytes; a trial's are 7
    strengths = "regularization.l2=1e-1,1e-4,1e-2,1e-3"
    for members, kept in ((4, ["1", "3"]), (2, ["1", "3"]), (1, ["1"])):
        folder = studies.run(
            strengths, "tracking.keep_weights=1", f"tracking.keep_members={members}", f"search.study_name=of{members}"
        )
        assert sorted(path.parent.name for path in folder.glob("jobs/*/weights.safetensors")) == kept


def test_results_say_how_to_train_the_best_again(studies: Studies, capsys: pytest.CaptureFixture[str]) -> None:
    folder = studies.run(
        "regularization.l2=0,1e-4", "trainer.max_epochs=3", "search.summary=" + str(studies.runs / "s.json")
    )
    found = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert found["name"] == "ridgeline/optuna"
    assert found["best_params"] == {"regularization.l2": 1e-4}
    assert "trainer.max_epochs=3" in found["command"]
    assert found["command"].endswith("regularization.l2=0.0001")
    assert not any(word.startswith("search") for word in found["command"].split())  # a folder may be called so
    arguments = found["command"].partition("train.py ")[2]  # in an activated environment the printed one is shorter
    assert f"train.py {arguments}" in capsys.readouterr().out
    summary = json.loads((studies.runs / "s.json").read_text())
    assert summary == json.loads((folder / "summary.json").read_text())
    assert summary["best_params"] == {"regularization.l2": 1e-4}
    assert (summary["n_complete"], summary["n_failed"]) == (2, 0)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (ValueError("no\nway"), "ValueError: no way"),
        (SystemExit("gone"), "JobExited: gone"),
        (float("nan"), "The job returned nan."),
        ({"value": None}, "The job returned no number, but None."),
    ],
)
def test_failed_trial_has_its_reason_and_the_study_goes_on(bad: Any, reason: str, studies: Studies) -> None:
    def task(cfg: DictConfig) -> Any:
        if cfg.seed != 2:
            return formula(cfg)
        if isinstance(bad, BaseException):
            raise bad
        return bad

    folder = studies.run("seed=1,2,3", task=task)
    assert [row["state"] for row in table(folder)] == ["COMPLETE", "FAILED", "COMPLETE"]
    assert table(folder)[1]["reason"] == reason


def test_study_ends_when_too_much_fails(studies: Studies, store: Path) -> None:
    def task(cfg: DictConfig) -> Any:
        if cfg.seed > 1:
            raise ValueError("no way")
        return formula(cfg)

    with pytest.raises(StudyStopped, match=r"3 trials failed, more than .*=0\.25 of 8.*ValueError: no way") as stopped:
        studies.run("seed=range(8)", "search.max_failure_rate=0.25", task=task)
    assert stopped.value.code == 1
    (folder,) = studies.folders()
    assert [row["state"] for row in table(folder)] == ["COMPLETE"] * 2 + ["FAILED"] * 3
    assert yaml.safe_load((folder / "optimization_results.yaml").read_text())["counts"]["failed"] == 3
    (parent,) = runs_of(studies, store, "study")
    assert parent.info.status == "FAILED"


@pytest.mark.verify
def test_study_of_failures_alone_says_so(studies: Studies) -> None:
    def task(cfg: DictConfig) -> Any:
        raise ValueError("no way")

    with pytest.raises(StudyStopped, match=r"All 2 trials of the study .* failed\. The last: ValueError: no way"):
        studies.run("seed=1,2", "search.max_failure_rate=1", task=task)


def test_name_of_another_study_is_refused(studies: Studies) -> None:
    studies.run("seed=1,2", "search.study_name=mine")
    with pytest.raises(
        ConfigError, match=r"The study mine is another one: space\.seed.*search\.study_name=NEW"
    ) as refused:
        studies.run("seed=1,2,3", "search.study_name=mine")
    assert "\n" not in str(refused.value)
    assert len(table(studies.folders()[0])) == 2


def test_a_study_begun_before_there_was_a_model_goes_on(studies: Studies) -> None:
    """And one whose data said more of what is so by default."""
    folder = studies.run("seed=1,2", "search.study_name=mine")
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.load_study(study_name="mine", storage=storage)
    definition = study.user_attrs["definition"]
    assert not any(key.startswith("model") for key in definition["config"])
    study.set_user_attr("definition", definition | {"config": {**definition["config"], "data.noise": None}})
    assert studies.run("seed=1,2", "search.study_name=mine") == folder


def test_running_study_is_not_started_twice(studies: Studies) -> None:
    name = studies.plan("seed=1,2").name
    with locked(studies.runs / "studies" / name), pytest.raises(ConfigError, match="already running"):
        studies.run("seed=1,2")


def test_half_written_journal_is_mended(studies: Studies) -> None:
    folder = studies.run("seed=1,2", "search.n_trials=1")
    with (folder / "journal.log").open("ab") as file:
        file.write(b'{"op_code":4,"wor')
    (folder / "journal.log.lock").symlink_to(folder / "journal.log")
    studies.run("seed=1,2")
    assert [row["seed"] for row in results(folder)] == ["1", "2"]


@pytest.mark.verify
@pytest.mark.parametrize("sampler", ["RandomSampler", "QMCSampler", "GPSampler", "NSGAIISampler", "BruteForceSampler"])
def test_any_sampler_of_optuna_runs_and_repeats(sampler: str, studies: Studies, tmp_path: Path, store: Path) -> None:
    command = ["search=random", f"search.sampler._target_=optuna.samplers.{sampler}", "search.n_trials=4"]
    command += ["regularization.dropout=0,0.1,0.2"] if sampler == "BruteForceSampler" else []
    command += ["regularization.l2=1e-4"] if sampler == "BruteForceSampler" else []
    first = results(studies.run(*command))
    assert first == results(Studies(tmp_path / "elsewhere", store).run(*command))
    points = [tuple(row[name] for name in row if name.startswith("regularization.")) for row in first]
    assert len(set(points)) == len(points) == (3 if sampler == "BruteForceSampler" else 4)


def test_database_keeps_a_study_too(studies: Studies, tmp_path: Path) -> None:
    command = ("seed=1,2,3", f"search.storage=sqlite:///{tmp_path}/study.db")
    with pytest.raises(StudyStopped):
        studies.run(*command, task=stopping(1, KeyboardInterrupt))
    folder = studies.run(*command)
    assert [row["seed"] for row in results(folder)] == ["1", "2", "3"]
    assert not (folder / "journal.log").exists()
    table_before = (folder / "trials.csv").read_bytes()
    with pytest.raises(ConfigError, match=r"is stored in sqlite:///.*/study.db, but got search.storage=.*/o.db"):
        studies.run("seed=1,2,3", f"search.storage=sqlite:///{tmp_path}/o.db")  # it would take the folder
    assert (folder / "trials.csv").read_bytes() == table_before
