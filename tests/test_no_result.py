"""A study in which no trial is complete says what to change: at its end, to confirm, on its page, and in Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ridgeline.api.studies import Study
from ridgeline.checking import ConfigError
from ridgeline.evaluation.confirmable import check
from ridgeline.evaluation.stored import open_study
from ridgeline.evaluation.story import gather
from ridgeline.report.page import render
from ridgeline.search.advice import on_no_result
from ridgeline.search.endings import StudyStopped
from ridgeline.search.ranking import OUTCOME
from settings import small
from sweeping import Studies, table
from test_stacked_study import train

PRUNER = {"_target_": "optuna.pruners.ThresholdPruner", "upper": 1e-9}
OURS = "optuna.pruners.ThresholdPruner, upper=1e-09"
MILDER = f"Let its pruner ({OURS}) begin later, or leave it out (search/pruner=none)."
FIRST = "Trial 3 was the first that failed: ValueError: no way."


def ended(state: TrialState, number: int, reason: str | None = None, seed: int | None = None) -> FrozenTrial:
    params, lists = ({}, {}) if seed is None else ({"seed": seed}, {"seed": CategoricalDistribution([1, 2])})
    value = 0.5 if state == TrialState.COMPLETE else None
    outcome = {"reason": reason} if reason else {}
    found = create_trial(state=state, value=value, params=params, distributions=lists, user_attrs={OUTCOME: outcome})
    found.number = number
    return found


PRUNED, FAILED = ended(TrialState.PRUNED, 0), ended(TrialState.FAIL, 3, "ValueError: no way.")


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ([PRUNED, PRUNED], f"No trial is complete: 2 pruned. {MILDER}"),
        ([FAILED], f"No trial is complete: 1 failed. {FIRST}"),
        (
            [PRUNED, FAILED, ended(TrialState.FAIL, 4, "OSError")],
            f"No trial is complete: 1 pruned, 2 failed. {MILDER} {FIRST}",
        ),
        (
            [ended(TrialState.COMPLETE, 2, seed=1), ended(TrialState.FAIL, 3, "ValueError: no way.", seed=2)],
            f"No setting is complete with all of its 2 seeds: 1 failed. {FIRST}",
        ),
        ([], "No trial has ended."),
    ],
)
def test_what_to_change_is_the_pruner_and_what_failed_first(trials: list[FrozenTrial], said: str) -> None:
    assert on_no_result(trials, PRUNER) == said


@pytest.mark.verify
def test_a_study_whose_trials_are_all_pruned_says_so_wherever_its_best_is_asked_for(tmp_path: Path) -> None:
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    given = ["search=bayes", "search.n_trials=3", "network.hidden=[4]", "trainer.max_epochs=3", "data=moons"]
    given += ["hydra.launcher.workers=1"]
    given += ["search.pruner={_target_:optuna.pruners.ThresholdPruner,upper:1e-9}", "search.study_name=strict"]
    said = f"No trial is complete: 3 pruned. {MILDER}"
    with pytest.raises(StudyStopped) as stopped:
        studies.run(*given, task=train)
    assert str(stopped.value) == f"The study strict ends without a result. {said}"
    assert [row["state"] for row in table(studies.folders()[0])] == ["PRUNED"] * 3
    stored = open_study(small(runs=str(studies.runs)), "strict")
    for ask in (check, lambda stored: Study(stored).best, lambda stored: Study(stored).best_fitted()):
        with pytest.raises(ConfigError) as refused:
            ask(stored)
        assert str(refused.value) == f"The study strict has no best trial. {said}"
    page = render(gather(stored, {}))
    assert said in page
    assert "has not kept the weights" not in page
