"""Trials that are not worth going on with, the samplers and pruners to choose from, and how a study starts."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.errors import HydraException
from mlflow import MlflowClient
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ridgeline import entry_points
from ridgeline.config import ConfigError
from ridgeline.search.endings import StudyStopped
from ridgeline.search.pruning import Pruning, rehearse
from ridgeline.search.sources import OpenTrials
from ridgeline.search.space import Dimension
from ridgeline.search.start import design_point
from ridgeline.stack.source import Fit
from sweeping import OWN_COLUMNS, Studies, results, table
from test_stacked_study import train

TINY = ("network.hidden=[8]", "data.examples=200", "optimizer.lr=0.02", "search.enqueue=[]")
BAYES = (*TINY, "search=bayes", "search.n_trials=16", "search.n_startup_trials=4", "trainer.max_epochs=9")
ASHA = ("search/pruner=asha", "search.pruner.min_resource=1")
HYPERBAND = ("search/pruner=hyperband", "search.pruner.min_resource=1")
SLOTS = ("hydra.launcher.workers=2", "hydra.launcher.stack_size=2")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory, store: Path) -> dict[tuple[str, ...], Path]:
    """The folders of uninterrupted studies, by pruner."""
    runs = {pruner: tmp_path_factory.mktemp("whole") for pruner in (ASHA, HYPERBAND)}
    return {pruner: Studies(runs[pruner], store).run(*BAYES, *pruner, *SLOTS, task=train) for pruner in runs}


def stored(folder: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    return optuna.load_study(study_name=folder.name, storage=storage)


def test_pruned_trial_says_so_everywhere_and_keeps_its_curve(wholes: dict[tuple[str, ...], Path], store: Path) -> None:
    folder, client = wholes[ASHA], MlflowClient(f"sqlite:///{store}")
    trials, rows = stored(folder).trials, table(folder)
    assert len(trials) == len(rows) == 16  # pruned ones are of the n_trials
    pruned = [trial for trial in trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert len(pruned) >= 4
    assert {row["number"] for row in rows if row["state"] == "PRUNED"} == {str(trial.number) for trial in pruned}
    for trial in pruned:
        row = rows[trial.number]
        with (folder / row["job_dir"] / "history.csv").open(newline="") as file:
            curve = [float(line["val/loss"]) for line in csv.DictReader(file)]
        assert int(row["epochs"]) == len(curve) in (1, 3, 9)
        assert trial.intermediate_values == dict(enumerate(curve, start=1))
        run = client.get_run(row["run_id"])
        assert (run.info.status, run.data.tags["ridgeline.state"]) == ("KILLED", "PRUNED")
        assert run.data.tags["ridgeline.reason"] == f"after epoch {len(curve)}"
        points = client.get_metric_history(row["run_id"], "val/loss")
        assert {point.step: point.value for point in points} == dict(enumerate(curve, start=1))
        assert not (folder / row["job_dir"] / "weights.safetensors").exists()
    (parent,) = {client.get_run(row["run_id"]).data.tags["mlflow.parentRunId"] for row in rows}
    assert client.get_run(parent).data.metrics["trials/pruned"] == len(pruned)


@pytest.mark.parametrize(
    ("pruner", "at"),
    [(ASHA, 3), pytest.param(ASHA, 9, marks=pytest.mark.verify), pytest.param(HYPERBAND, 6, marks=pytest.mark.verify)],
)
def test_stopped_anywhere_it_prunes_the_same(
    pruner: tuple[str, ...],
    at: int,
    wholes: dict[tuple[str, ...], Path],
    tmp_path: Path,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    studies, command = Studies(tmp_path, store), (*BAYES, *pruner, *SLOTS)
    ended = OpenTrials.ended

    def interrupt(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenTrials, "ended", interrupt)
    with pytest.raises(StudyStopped, match=f"{at} of 16 trials are saved"):
        studies.run(*command, task=train)
    monkeypatch.undo()
    resumed = studies.run(*command, task=train)
    assert results(resumed) == results(wholes[pruner])
    ours, theirs = stored(resumed).trials, stored(wholes[pruner]).trials
    assert [t.intermediate_values for t in ours] == [t.intermediate_values for t in theirs]
    assert {row["state"] for row in table(resumed)} == {"COMPLETE", "PRUNED"}


@pytest.mark.parametrize("pruner", [ASHA, HYPERBAND])
def test_same_command_prunes_the_same(
    pruner: tuple[str, ...], wholes: dict[tuple[str, ...], Path], tmp_path: Path, store: Path
) -> None:
    again = Studies(tmp_path, store).run(*BAYES, *pruner, *SLOTS, task=train)
    assert again != wholes[pruner]
    assert results(again) == results(wholes[pruner])


@pytest.mark.verify
def test_gap_in_the_numbers_changes_nothing_of_what_is_pruned(
    wholes: dict[tuple[str, ...], Path], tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it was asked for, a trial leaves its number unused; Hyperband chooses brackets by number."""
    studies, command = Studies(tmp_path, store), (*BAYES, *HYPERBAND, *SLOTS)

    def interrupt(self: OpenTrials, *_: object) -> Fit:
        raise KeyboardInterrupt

    monkeypatch.setattr("ridgeline.search.sources.PLACE", "no place")
    monkeypatch.setattr(OpenTrials, "open", interrupt)
    with pytest.raises(StudyStopped, match="0 of 16 trials are saved"):
        studies.run(*command, task=train)
    monkeypatch.undo()
    resumed = studies.run(*command, task=train)
    assert [row["state"] for row in table(resumed)].count("INTERRUPTED") == 1
    without = (*OWN_COLUMNS, "number", "job_dir")
    assert results(resumed, without=without) == results(wholes[HYPERBAND], without=without)


@pytest.mark.parametrize("sampler", ["random", "tpe", "sobol", "gp", "cmaes"])
@pytest.mark.parametrize("pruner", ["none", "median"])
def test_every_sampler_runs(sampler: str, pruner: str, tmp_path: Path, store: Path) -> None:
    command = (*TINY, "search=bayes", f"search/sampler={sampler}", f"search/pruner={pruner}")
    short = ("search.n_trials=5", "search.n_startup_trials=2", "trainer.max_epochs=2")
    folder = Studies(tmp_path, store).run(*command, *short, *SLOTS, task=train)
    assert {row["state"] for row in table(folder)} <= {"COMPLETE", "PRUNED"}
    points = {(row["regularization.l2"], row["regularization.dropout"]) for row in table(folder)}
    assert len(points) == len(table(folder)) == 5


@pytest.mark.verify
@pytest.mark.parametrize("pruner", ["median", "patient"])
def test_every_other_pruner_prunes(pruner: str, tmp_path: Path, store: Path) -> None:
    key = "search.pruner.wrapped_pruner" if pruner == "patient" else "search.pruner"
    own = (f"search/pruner={pruner}", f"{key}.n_startup_trials=2", f"{key}.n_warmup_steps=0")
    own += ("search.pruner.patience=0",) if pruner == "patient" else ()
    noisy = ("optimizer.lr=choice(0.01,3.0)", "search.n_trials=12")  # 3.0 goes up and down, high
    folder = Studies(tmp_path, store).run(*BAYES, *own, *noisy, *SLOTS, task=train)
    states = [row["state"] for row in table(folder)]
    assert set(states) == {"COMPLETE", "PRUNED"}
    assert len(states) == 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("search/pruner=ahsa", "ahsa"),
        ("search.pruner._target_=optuna.pruners.MedianPrune search/pruner=median", "MedianPruner"),
        (
            "search/pruner=asha +search.pruner.min_resorce=2",
            "has no argument `search.pruner.min_resorce`",
        ),
        ("search/pruner=asha search.pruner.reduction_factor=1", "`search.pruner can be built` must hold"),
        (
            "search/pruner=median search.pruner.n_warmup_steps=many",
            "n_warmup_steps is an integer` must hold",
        ),
        ("search/pruner=patient search.pruner.wrapped_pruner._target_=optuna.Nothing", "optuna.Nothing"),
        ("search.n_startup_trials=-1", "n_startup_trials"),
        ("search.timeout=0", "`0 < search.timeout < inf` must hold, but got search.timeout=0.0."),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(arguments: str, words: str, tmp_path: Path, store: Path) -> None:
    studies = Studies(tmp_path / "runs", store)
    with pytest.raises((ConfigError, HydraException)) as refused:
        studies.run("search=bayes", *arguments.split(), task=train)
    error = refused.value
    line = str(error) if isinstance(error, ConfigError) else entry_points.one_line(error)
    assert words in line
    assert "\n" not in line
    assert not studies.runs.exists()


def test_enqueued_trials_come_first_with_the_values_they_have(tmp_path: Path, store: Path) -> None:
    first = "search.enqueue=[{regularization.l2:1e-3,regularization.dropout:0.5},{regularization.l2:1e-5}]"
    command = (*BAYES, first, "search.n_trials=3", "trainer.max_epochs=1", *SLOTS)
    rows = table(Studies(tmp_path, store).run(*command, task=train))
    assert (rows[0]["regularization.l2"], rows[0]["regularization.dropout"]) == ("0.001", "0.5")
    assert rows[1]["regularization.l2"] == "1e-05"
    assert rows[1]["regularization.dropout"] not in ("", "0.5")  # a key that is not said is drawn


@pytest.mark.parametrize("seed", range(5))
def test_quasi_random_start_gives_each_quarter_its_share(seed: int) -> None:
    space = [
        Dimension("a", "", "", FloatDistribution(1e-6, 1e-1, log=True)),
        Dimension("b", "", "", FloatDistribution(0.0, 0.7)),
        Dimension("c", "", "", IntDistribution(1, 8)),
        Dimension("d", "", "", CategoricalDistribution([10, 20, 30, 40])),
    ]
    points = [design_point(space, seed, place) for place in range(16)]
    quarters = {
        "a": [int((math.log10(p["a"]) + 6) / 5 * 4) for p in points],
        "b": [int(p["b"] / 0.7 * 4) for p in points],
        "c": [(p["c"] - 1) // 2 for p in points],
        "d": [p["d"] // 10 - 1 for p in points],
    }
    for key, found in quarters.items():
        assert sorted(found) == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4, key
    assert points != [design_point(space, seed + 1, place) for place in range(16)]


class Failing(optuna.pruners.BasePruner):
    """Fails, or gives another answer than true or false, from trial number `at` on."""

    def __init__(self, at: int = 0, answer: str | None = None) -> None:
        self.at, self.answer = at, answer

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> Any:
        if trial.number < self.at:
            return False
        if self.answer is None:
            raise ValueError("boom")
        return self.answer


def test_a_pruner_that_fails_is_refused_before_the_study() -> None:
    failing = {"_target_": "test_pruning.Failing"}
    with pytest.raises(ConfigError, match=r"must hold, but got search.pruner.* ValueError: boom \(test_pruning.py"):
        rehearse(failing, "minimize")
    with pytest.raises(ConfigError, match="prune gives 'yes', not true or false"):
        rehearse({**failing, "answer": "yes"}, "maximize")
    rehearse({**failing, "at": 99}, "maximize")


def test_a_pruner_that_fails_later_ends_the_study_in_one_line() -> None:
    study = optuna.create_study()
    pruning = Pruning(study, Failing(at=1))
    for _ in range(2):
        study.ask()
    assert not pruning.prunes(0, 1, 0.5, (1, 0))
    with pytest.raises(StudyStopped, match=r"The study ends: search\.pruner fails, ValueError: boom"):
        pruning.prunes(1, 1, 0.5, (1, 1))
