"""A swept seed is replication: what is ranked, shown, pruned and confirmed are settings (issue 12, A.4)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from omegaconf import DictConfig
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ridgeline.config import SearchConfig
from ridgeline.search.ranking import best_settings, drawn_settings, settings
from ridgeline.search.records import StudyStopped
from ridgeline.search.repeats import Repeats, view_of
from ridgeline.search.sampling import fixed_sampler
from ridgeline.search.space import Dimension
from sweeping import OWN_COLUMNS, Studies, formula, results, stopping


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


def test_setting_is_ranked_by_the_mean_of_its_seeds_and_not_by_the_luckiest() -> None:
    best, second = best_settings([*LUCKY, *STEADY])
    assert (best.params, second.params) == ({"regularization.l2": 1e-3}, {"regularization.l2": 0})
    assert best.value == pytest.approx(0.8 / 3)
    assert best.deviation == pytest.approx(0.1 / math.sqrt(3))
    assert (len(best.trials), best.seeds, best.trial.number) == (3, 3, 4)


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING])
def test_setting_of_which_a_seed_has_no_value_is_not_ranked_by_its_luckier_half(state: TrialState) -> None:
    lost = trial(1, 0, 2, None, state)
    assert [s.params for s in best_settings([LUCKY[0], lost, LUCKY[2], *STEADY])] == [{"regularization.l2": 1e-3}]
    (half,) = settings([LUCKY[0], lost])
    assert math.isnan(half.value)
    assert half.deviation is None
    assert best_settings([*LUCKY[:2], *STEADY])[0].params == {"regularization.l2": 1e-3}


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
    view = view_of(drawn_settings([*LUCKY, *STEADY[:2]]), space)
    assert [(t.state, t.params) for t in view.trials] == [
        (TrialState.COMPLETE, {"regularization.l2": 0}),
        (TrialState.RUNNING, {"regularization.l2": 1e-3}),
    ]
    assert view.trials[0].value == pytest.approx(0.5)
