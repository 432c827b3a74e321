"""A key with a value or an interval: each trial has it off, or on and then so strong (Kadra et al. 2021)."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.study import Study

from ridgeline.api.asked import space_settings
from ridgeline.config import ConfigError, SearchConfig
from ridgeline.evaluation.stored import open_study
from ridgeline.report.facts import Axis
from ridgeline.search import sampling
from ridgeline.search.conditions import values_of
from ridgeline.search.endings import StudyStopped
from ridgeline.search.ranking import best_settings, ran
from ridgeline.search.repeats import Repeats, shown
from ridgeline.search.space import Dimension, dimension
from ridgeline.search.start import check_enqueue
from settings import small
from sweeping import OWN_COLUMNS, Studies, formula, results, stopping, table

DROPOUT, L2 = "regularization.dropout", "regularization.l2"
SPACE = (f"{L2}=0,tag(log,interval(1e-6,1e-1))", f"{DROPOUT}=0,interval(0.1,0.6)")
TPE = {"_target_": "optuna.samplers.TPESampler"}


def dimensions(*texts: str) -> list[Dimension]:
    parser = OverridesParser.create()
    return [dimension(parser.parse_override(text), grid=False, seed=0) for text in texts]


def drawn(search: SearchConfig, n: int, value_of: Any, *texts: str) -> Study:
    """A study in memory of n trials over this space."""
    study, space = optuna.create_study(), dimensions(*texts)
    for place in range(n):
        study.sampler = sampling.sampler_for(search, space, place)
        trial = sampling.ask(study, space)
        study.tell(trial, value_of(values_of(trial.params)))
    return study


def test_what_is_off_has_no_strength_and_everybody_else_sees_a_zero() -> None:
    (l2,) = dimensions(SPACE[0])
    assert l2.parameters == {
        f"{L2}?": CategoricalDistribution([0, "interval"]),
        L2: FloatDistribution(1e-6, 1e-1, log=True),
    }
    assert l2.params(0) == {f"{L2}?": 0}
    assert l2.params(1e-3) == {f"{L2}?": "interval", L2: 1e-3}
    assert values_of(l2.params(0)) == {L2: 0}
    assert values_of(l2.params(1e-3)) == values_of(values_of(l2.params(1e-3))) == {L2: 1e-3}
    assert l2.ends[:3] == [0, 1e-6, 1e-1]
    assert dimensions(f"{L2}=tag(log,interval(1e-6,1e-1)),0")[0].definition == l2.definition


def test_the_design_has_each_regularizer_off_in_half_of_its_trials_and_its_strengths_spread() -> None:
    study = drawn(SearchConfig(n_startup_trials=16), 16, lambda values: 0.0, *SPACE)
    for key, low, high in ((L2, 1e-6, 1e-1), (DROPOUT, 0.1, 0.6)):
        on = [t.params[key] for t in study.trials if key in t.params]
        assert len(on) == 8 == len([t for t in study.trials if values_of(t.params)[key] == 0])
        assert all(low <= value <= high for value in on)
        assert len(set(on)) == 8


def test_tpe_learns_what_is_better_off_and_how_strong_the_other_is() -> None:
    def value(values: dict[str, float]) -> float:
        return abs(values[DROPOUT] - 0.3) + (values[L2] > 0)

    search = SearchConfig(sampler=TPE, n_startup_trials=8)
    late = [values_of(t.params) for t in drawn(search, 48, value, *SPACE).trials[24:]]
    assert sum(values[L2] == 0 for values in late) >= 18  # and 12
    assert sum(abs(values[DROPOUT] - 0.3) < 0.1 for values in late) >= 10  # at random it is 5


def test_an_enqueued_setting_is_tried_whether_off_or_on() -> None:
    search = SearchConfig(sampler=TPE, enqueue=({L2: 0, DROPOUT: 0.25}, {L2: 1e-2}))
    check_enqueue(search, dimensions(*SPACE))
    first, second = drawn(search, 2, lambda values: 0.0, *SPACE).trials
    assert first.params == {f"{L2}?": 0, f"{DROPOUT}?": "interval", DROPOUT: 0.25}
    assert second.params[L2] == 1e-2
    with pytest.raises(ConfigError, match=r"regularization\.dropout=0\.05"):
        check_enqueue(SearchConfig(enqueue=({DROPOUT: 0.05},)), dimensions(*SPACE))


def test_a_setting_that_is_off_is_trained_with_every_seed() -> None:
    space = dimensions("seed=1,2", *SPACE)
    search = SearchConfig(n_startup_trials=8, sampler=TPE)
    study, repeats = optuna.create_study(), Repeats(search, space)
    for _ in range(12):
        params, _ = repeats.next(study, study.trials)
        study.sampler = sampling.fixed_sampler(params)
        study.tell(sampling.ask(study, space), 0.0)
    pairs = [{k: v for k, v in t.params.items() if k != "seed"} for t in study.trials]
    assert pairs[::2] == pairs[1::2]
    found = best_settings(study.trials, study.direction)
    assert [s.seeds for s in found] == [2] * 6
    assert any(s.params[L2] == 0 for s in found)
    assert all(set(s.params) == {L2, DROPOUT} for s in found)


@pytest.mark.verify
def test_pictures_show_a_number_for_each_trial() -> None:
    study = drawn(SearchConfig(n_startup_trials=12), 12, lambda values: values[DROPOUT], *SPACE)
    space = dimensions(*SPACE)
    seen = shown(study, space)
    assert [t.params[DROPOUT] for t in seen.trials] == [values_of(t.params)[DROPOUT] for t in study.trials]
    assert [t.params[L2] < 1e-6 for t in seen.trials] == [values_of(t.params)[L2] == 0 for t in study.trials]
    assert max(optuna.importance.get_param_importances(seen).items(), key=lambda one: one[1])[0] == DROPOUT
    axis = Axis(L2, "l2", is_log=True, beside=tuple(space[0].beside.items()))
    assert 0 < axis.place(0) < 1e-6
    assert axis.title == "l2, 0 at 3.2e-7"


def test_python_lists_a_value_and_an_interval() -> None:
    settings = space_settings({DROPOUT: [0, (0.1, 0.6)], L2: [None, (1e-6, 1e-1, "log")]})
    assert settings[1:] == [f"{DROPOUT}=0,interval(0.1, 0.6)", f"{L2}=null,tag(log, interval(1e-06, 0.1))"]


def test_the_cocktail_begins_with_nothing_and_can_hold_everything_of_any_table(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b,y\n" + "".join(f"{i},{i % 7},{i % 3}.5\n" for i in range(40)))
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    for more in (("task=regression",), ("task=classification", "regularization.label_smoothing=0,interval(0.01,0.2)")):
        plan = studies.plan("experiment=cocktail", "search=bayes", f"data.path={path}", "data.target=y", *more)
        space, search = plan.line.space, plan.config.search
        assert sum(d.switch is not None for d in space) == len(space) - 1 == 10 + len(more)
        first = sampling.sampler_for(search, space, 0)
        study = optuna.create_study(sampler=first)
        values = values_of(sampling.ask(study, space).params)
        assert all(values[key] == 0 for key in search.enqueue[0] if key.startswith("regularization."))


GIVEN = (
    *("search=bayes", "search.n_trials=8", "search.n_startup_trials=4", "search.study_name=mix"),
    *("hydra/launcher=basic", "tracking.pictures=false"),
)


@pytest.mark.verify
def test_a_study_killed_and_resumed_has_the_same_table_and_its_commands_say_0_for_off(tmp_path: Path) -> None:
    ways = {name: Studies(tmp_path / name, tmp_path / "mlflow.db") for name in ("whole", "killed")}
    folder = ways["whole"].run(*GIVEN, *SPACE)
    with pytest.raises(StudyStopped):
        ways["killed"].run(*GIVEN, *SPACE, task=stopping(5, KeyboardInterrupt, formula))
    own = (*OWN_COLUMNS, "number", "job_dir")  # the one that was interrupted has a number
    rows = results(folder, without=own)
    assert rows == results(ways["killed"].run(*GIVEN, *SPACE), without=own)
    assert {row["state"] for row in rows} == {"COMPLETE"}
    assert any(row[L2] == "0" for row in rows)

    stored = open_study(small(runs=str(tmp_path / "whole")), "mix")
    assert stored.line.space == ways["whole"].plan(*GIVEN, *SPACE).line.space
    for trial, row in zip(ran(stored.study), table(folder), strict=True):
        assert f"{L2}={row[L2]}" in shlex.split(stored.line.retrain(trial.params))
        assert stored.config_of(trial.number).regularization.l2 == float(row[L2])
