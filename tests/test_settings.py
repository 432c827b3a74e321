"""A swept seed is replication: what is ranked, shown, pruned and confirmed are settings (issue 12, A.4)."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from mlflow import MlflowClient
from omegaconf import DictConfig
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from ridgeline.config import SearchConfig
from ridgeline.search.pruning import Pruning
from ridgeline.search.ranking import best_settings, drawn_settings, settings
from ridgeline.search.records import StudyStopped
from ridgeline.search.repeats import Repeats, view_of
from ridgeline.search.sampling import fixed_sampler
from ridgeline.search.sources import OpenTrials
from ridgeline.search.space import Dimension
from ridgeline.stack.source import Fit
from sweeping import OWN_COLUMNS, Studies, formula, results, stopping
from test_pruning import ASHA, SLOTS
from test_pruning import BAYES as PRUNED
from test_stacked_study import train


def trial(
    number: int, l2: float, seed: int, value: float | None, state: TrialState = TrialState.COMPLETE
) -> FrozenTrial:
    space = {"regularization.l2": CategoricalDistribution([0, 1e-3]), "seed": CategoricalDistribution([1, 2, 3])}
    params = {"regularization.l2": l2, "seed": seed}
    made = create_trial(state=state, value=value, params=params, distributions=space)
    made.number = number
    return made


LUCKY = [trial(0, 0, 1, 0.1), trial(1, 0, 2, 0.6), trial(2, 0, 3, 0.8)]
STEADY = [trial(3, 1e-3, 1, 0.2), trial(4, 1e-3, 2, 0.3), trial(5, 1e-3, 3, 0.3)]
MINIMIZE, MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE


def test_setting_is_ranked_by_the_mean_of_its_seeds_and_not_by_the_luckiest() -> None:
    best, second = best_settings([*LUCKY, *STEADY], MINIMIZE)
    assert (best.params, second.params) == ({"regularization.l2": 1e-3}, {"regularization.l2": 0})
    assert best.value == pytest.approx(0.8 / 3)
    assert best.deviation == pytest.approx(0.1 / math.sqrt(3))
    assert (len(best.trials), best.seeds, best.trial.number) == (3, 3, 4)


def test_where_large_is_better_the_largest_mean_is_the_best_and_of_equal_ones_the_earlier() -> None:
    best, second = best_settings([*LUCKY, *STEADY], MAXIMIZE)
    assert (best.params, second.params) == ({"regularization.l2": 0}, {"regularization.l2": 1e-3})
    single = {"l2": CategoricalDistribution([0, 1, 2])}
    equal = [
        create_trial(value=value, params={"l2": i}, distributions=single) for i, value in enumerate([0.1, 0.7, 0.7])
    ]
    assert [s.params["l2"] for s in best_settings(equal, MAXIMIZE)] == [1, 2, 0]


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING])
def test_setting_of_which_a_seed_has_no_value_is_not_ranked_by_its_luckier_half(state: TrialState) -> None:
    lost = trial(1, 0, 2, None, state)
    assert [s.params for s in best_settings([LUCKY[0], lost, LUCKY[2], *STEADY], MINIMIZE)] == [
        {"regularization.l2": 1e-3}
    ]
    (half,) = settings([LUCKY[0], lost])
    assert math.isnan(half.value)
    assert half.deviation is None
    assert best_settings([*LUCKY[:2], *STEADY], MINIMIZE)[0].params == {"regularization.l2": 1e-3}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


def noisy(cfg: DictConfig) -> Any:
    """The formula of the tests, which seed 2 flatters."""
    return formula(cfg) | {"value": formula(cfg)["value"] - 5 * (cfg.seed == 2)}


def settings_of(rows: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(row["regularization.l2"], row["regularization.dropout"]) for row in rows]


SPACE = [
    Dimension("regularization.l2", "", "", FloatDistribution(1e-6, 1e-1, log=True)),
    Dimension("regularization.dropout", "", "", FloatDistribution(0.0, 0.7)),
    Dimension("seed", "", "", CategoricalDistribution([1, 2, 3])),
]


def ask(study: optuna.Study, target: str) -> optuna.Trial:
    search = SearchConfig(sampler={"_target_": f"optuna.samplers.{target}"}, n_startup_trials=6)
    params, kept = Repeats(search, SPACE).next(study, [t for t in study.trials if t.state != TrialState.FAIL])
    study.sampler = fixed_sampler(params)
    trial = study.ask({d.key: d.distribution for d in SPACE})
    for key, value in kept.items():
        study._storage.set_trial_system_attr(trial._trial_id, key, value)
    return trial


def study_of(target: str, n: int, lost: tuple[int, ...]) -> list[dict[str, Any]]:
    """The params of so many trials, two at a time; of those whose place is `lost` the process was killed."""
    study, running, place = optuna.create_study(), list[optuna.Trial](), 0
    while place < n or running:
        if place < n:
            running.append(ask(study, target))
            if len(study.trials) - 1 in lost:
                study.tell(running.pop(), state=TrialState.FAIL)
                continue
            place += 1
        if len(running) == 2 or place == n:
            trial = running.pop(0)
            study.tell(trial, trial.params["regularization.dropout"] - trial.params["seed"])
    return [t.params for t in study.trials if t.state != TrialState.FAIL]


@pytest.mark.parametrize("target", ["TPESampler", "CmaEsSampler", "QMCSampler", "RandomSampler"])
def test_each_setting_is_trained_with_every_seed_and_the_same_after_a_kill(target: str) -> None:
    whole = study_of(target, 20, ())
    assert [params["seed"] for params in whole] == ([1, 2, 3] * 7)[:20]
    drawn = [(params["regularization.l2"], params["regularization.dropout"]) for params in whole]
    assert all(drawn[i] == drawn[3 * (i // 3)] for i in range(20))
    assert len(set(drawn)) == 7
    assert study_of(target, 20, (4, 9, 12)) == whole


@pytest.mark.verify
def test_sampler_draws_settings_and_each_is_trained_with_every_seed(tmp_path: Path, store: Path) -> None:
    command = ("search=bayes", "seed=1,2,3", "search.n_trials=11", "search.n_startup_trials=6")
    whole = results(Studies(tmp_path / "whole", store).run(*command, task=noisy))
    assert [row["seed"] for row in whole] == ["1", "2", "3"] * 3 + ["1", "2"]
    drawn = settings_of(whole)
    assert all(drawn[i] == drawn[3 * (i // 3)] for i in range(11))
    assert len(set(drawn)) == 4
    studies = Studies(tmp_path / "stopped", store)
    with pytest.raises(StudyStopped, match="Interrupted: 7 of 11"):
        studies.run(*command, task=stopping(7, KeyboardInterrupt, noisy))
    without = (*OWN_COLUMNS, "number", "job_dir")
    resumed = results(studies.run(*command, task=noisy), without=without)
    assert resumed == [{name: row[name] for name in row if name not in without} for row in whole]


def test_sampler_does_not_see_the_lucky_seed() -> None:
    """A sampler is given the mean of a setting once all of its seeds have ended, and before that it is running."""
    space = [Dimension("regularization.l2", "", "", CategoricalDistribution([0, 1e-3]))]
    study = optuna.create_study(direction="maximize")
    view = view_of(study, drawn_settings([*LUCKY, *STEADY[:2]]), space)
    assert view.direction == study.direction
    assert [(t.state, t.params) for t in view.trials] == [
        (TrialState.COMPLETE, {"regularization.l2": 0}),
        (TrialState.RUNNING, {"regularization.l2": 1e-3}),
    ]
    assert view.trials[0].value == pytest.approx(0.5)


def test_table_and_files_speak_of_settings(tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seed 2 flatters one setting; the other one is better, and is what is shown, stored and trained again."""

    def task(cfg: DictConfig) -> Any:
        if cfg.regularization.l2 == 1e-2 and cfg.seed == 3:
            raise ValueError("no way")
        values = {0: (0.9, 0.1, 0.8), 1e-3: (0.3, 0.4, 0.5), 1e-2: (0.2, 0.2, 0.2)}
        return formula(cfg) | {"value": values[cfg.regularization.l2][cfg.seed - 1]}

    summary = f"search.summary={tmp_path}/s.json"
    studies = Studies(tmp_path / "runs", store)
    kept = ["tracking.keep_weights=1", "tracking.keep_members=0"]
    folder = studies.run("regularization.l2=0,1e-3,1e-2", "seed=1,2,3", summary, *kept, task=task)
    words = capsys.readouterr().out
    assert "8 complete, 0 pruned, 1 failed; 2 settings with all 3 seeds, 1 without and not ranked" in words
    rows = [line.split() for line in words[words.index("trial  val/loss") :].splitlines()[:3]]
    assert rows[0] == ["trial", "val/loss", "deviation", "seeds", "regularization.l2", "best", "epoch", "seconds"]
    assert rows[1][:5] == ["4", "0.4", "0.1", "3", "0.001"]
    assert rows[2][:5] == ["2", "0.6", "0.4359", "3", "0"]
    assert "Stands for the best:   trial 4, seed=2: val/loss 0.4\n" in words
    (again,) = [line for line in words.splitlines() if line.startswith("Train the best again:")]
    assert again.endswith("regularization.l2=0.001 seed=2")
    with (folder / "settings.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["rank"], row["regularization.l2"], row["trials"]) for row in found] == [
        ("1", "0.001", "3 4 5"),
        ("2", "0", "0 1 2"),
        ("", "0.01", "6 7 8"),
    ]
    assert found[2]["reason"] == "2 of 3 seeds are complete"
    stored = json.loads((tmp_path / "s.json").read_text())
    assert stored["best_params"] == {"regularization.l2": 1e-3}
    assert (stored["best_value"], stored["best_seeds"]) == (pytest.approx(0.4), 3)
    results = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert (results["best_trial"], results["best_deviation"]) == (4, pytest.approx(0.1))
    assert [path.parent.name for path in folder.glob("jobs/*/weights.safetensors")] == ["4"]
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("runs")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`ridgeline.kind` = 'study'")
    assert (parent.data.tags["best.trial"], parent.data.tags["best.regularization.l2"]) == ("4", "0.001")
    assert "best.seed" not in parent.data.tags
    assert parent.data.metrics["best/val/loss"] == pytest.approx(0.4)


def test_pruner_compares_means_over_the_seeds_and_prunes_a_setting_as_a_whole() -> None:
    study = optuna.create_study()
    for l2, seed in ((0, 1), (0, 2), (1e-3, 1), (1e-3, 2)):
        study.sampler = fixed_sampler({"l2": l2, "seed": seed})
        study.ask({"l2": CategoricalDistribution([0, 1e-3]), "seed": CategoricalDistribution([1, 2])})
    pruning = Pruning(study, optuna.pruners.ThresholdPruner(upper=1.0))
    unlucky, lucky = 1.5, 0.2
    assert not pruning.prunes(0, 1, unlucky, (1, 0))  # the other seed may make up for it,
    assert not pruning.prunes(1, 1, lucky, (1, 1))  # and does
    assert not pruning.prunes(2, 1, unlucky, (1, 2))
    assert pruning.prunes(3, 1, 0.9, (1, 3))  # a mean of 1.2
    study.tell(3, state=TrialState.PRUNED)
    pruning.ended(study.trials[3], (1, 3))
    assert not pruning.prunes(0, 2, unlucky, (2, 0))
    assert pruning.prunes(2, 2, lucky, (2, 2))  # the rest of the setting, at its next epoch, lucky or not


@pytest.mark.verify
@pytest.mark.parametrize("more", [ASHA, (*ASHA, "network.hidden=choice([8],[4])")])
def test_seeds_with_a_pruner_end_with_the_same_table_wherever_they_were_stopped(
    more: tuple[str, ...], tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*PRUNED, *more, *SLOTS, "seed=1,2", "optimizer.lr=choice(0.01,0.02,3.0)")
    whole = Studies(tmp_path / "whole", store).run(*command, task=train)
    studies, ended = Studies(tmp_path / "stopped", store), OpenTrials.ended

    def interrupt(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenTrials, "ended", interrupt)
    with pytest.raises(StudyStopped, match="5 of 16 trials are saved"):
        studies.run(*command, task=train)
    monkeypatch.undo()
    resumed = results(studies.run(*command, task=train))
    assert len(more) > 2 or resumed == results(whole)  # in batches a slot of the next stack may be another one
    assert len(resumed) == 16
    for first, second in zip(resumed[::2], resumed[1::2], strict=True):
        assert settings_of([first]) == settings_of([second])
        assert {first["seed"], second["seed"]} == {"1", "2"}
    assert {"COMPLETE", "PRUNED"} == {row["state"] for row in results(whole)}


@pytest.mark.verify
@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_launchers_end_with_equal_tables_where_the_sampler_learns_nothing(
    sampler: str, tmp_path: Path, store: Path
) -> None:
    own = (f"search/sampler={sampler}", "search.n_trials=9", "search.n_startup_trials=3", "trainer.max_epochs=2")
    tables = []
    for name, launcher in (("basic", ("hydra/launcher=basic",)), ("stack", SLOTS)):
        studies = Studies(tmp_path / name, store)
        tables.append(
            results(studies.run("data=wine", "network.hidden=[8]", "search=bayes", *own, *launcher, task=train))
        )
    exact = [
        [{k: row[k] for k in row if k.startswith(("number", "state", "regul"))} for row in rows] for rows in tables
    ]
    assert exact[0] == exact[1]
    for one, other in zip(*tables, strict=True):
        assert float(one["value"]) == pytest.approx(float(other["value"]), rel=1e-6)
