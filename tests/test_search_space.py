"""Hydra's sweep grammar as Optuna distributions, and what of it is refused before anything is written (promise 9)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ridgeline.config import ConfigError
from ridgeline.entry_points import ROOT
from ridgeline.search.commandline import restore
from ridgeline.search.space import dimension, render
from sweeping import Studies

BAYES = {
    "regularization.l2=interval(0, 1)": FloatDistribution(0.0, 1.0),
    "regularization.l2=tag(log, interval(1e-6, 1e-1))": FloatDistribution(1e-6, 1e-1, log=True),
    "trainer.max_epochs=int(interval(2, 9))": IntDistribution(2, 9),
    "trainer.max_epochs=tag(log, int(interval(1, 64)))": IntDistribution(1, 64, log=True),
    "trainer.max_epochs=range(2, 10, 3)": IntDistribution(2, 8, step=3),  # 10 is not in it, as in any range
    "regularization.l2=range(0.0, 1.0, 0.25)": FloatDistribution(0.0, 0.75, step=0.25),
    "regularization.l2=choice(0, 1e-4)": CategoricalDistribution([0, 1e-4]),
    "regularization.l2=0,1e-4": CategoricalDistribution([0, 1e-4]),
    "network.hidden=[64],[64,32]": CategoricalDistribution(["[64]", "[64,32]"]),
    "trainer.batch_size=null,64": CategoricalDistribution([None, 64]),
    "optimizer.nesterov=true,false": CategoricalDistribution([True, False]),
    "network=mlp,softmax": CategoricalDistribution(["mlp", "softmax"]),
}


@pytest.fixture
def studies(tmp_path: Path) -> Studies:
    return Studies(tmp_path / "runs", tmp_path / "mlflow.db")


@pytest.mark.parametrize(("text", "distribution"), BAYES.items())
def test_grammar_gives_the_distribution(text: str, distribution: BaseDistribution) -> None:
    (override,) = OverridesParser.create().parse_overrides([text])
    assert dimension(override, grid=False, seed=0).distribution == distribution


def test_grid_lists_a_range_and_shuffles_it_alike_at_every_start() -> None:
    def ends(text: str, seed: int) -> list[int]:
        (override,) = OverridesParser.create().parse_overrides([text])
        return dimension(override, grid=True, seed=seed).ends

    assert ends("seed=range(0, 6, 2)", 0) == [0, 2, 4]
    shuffled = ends("seed=shuffle(range(20))", 1)
    assert shuffled == ends("seed=shuffle(range(20))", 1) != ends("seed=range(20)", 1)
    assert sorted(shuffled) == list(range(20))


@pytest.mark.parametrize("value", [1e-5, 0.1 + 0.2, 5e-324, 1e22, -1.5, 3, True, None, "[64,32]"])
def test_value_reaches_the_job_with_every_bit(value: object) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"a={render(value)}"])
    expected = [64, 32] if value == "[64,32]" else value
    assert override.value() == expected
    assert type(override.value()) is type(expected)


REFUSED = {
    "search=bayes regularization.l2=interval(1,0)": "regularization.l2=interval(1,0)",
    "search=bayes regularization.l2=interval(0.5,0.5)": "neither empty nor reversed",
    "search=bayes regularization.l2=tag(log,interval(0,1))": "`min > 0 of tag(log, interval(min, max))`",
    "search=bayes regularization.l2=interval(-1,1)": "`0 <= regularization.l2 < inf` must hold, but got ",
    "search=bayes regularization.dropout=interval(0,1)": "must hold, but got regularization.dropout=1.0",
    "search=bayes regularization.l2=tag(lin,interval(0,1))": "the only tag is log",
    "search=bayes regularization.l2=0 regularization.dropout=0": "search.params",
    "search=bayes search.n_trials=null": "search.n_trials=None",
    "search=bayes search.sampler._target_=optuna.samplers.TPSampler": "Did you mean TPESampler",
    "search=bayes search.sampler._target_=optuna.samplers.GridSampler": "`search.sampler.search_space` must be given",
    "search=bayes +search.sampler.n_startup_trials=3": "`search.n_startup_trials alone says when the sampler begins`",
    "search=bayes search.study_name=a/b": "search.study_name=a/b",
    "search=bayes search.storage=sqlite:////nowhere/s.db": "search.storage=sqlite:////nowhere/s.db",
    "regularization.l2=interval(0,1)": "add search=bayes",
    "regularization.l2=0,interval(1,2)": "add search=bayes",
    "search=bayes regularization.dropout=0,interval(0.6,0.1)": "neither empty nor reversed",
    "search=bayes regularization.dropout=0,interval(0.1,1.2)": "must hold, but got regularization.dropout=1.2",
    "search=bayes regularization.dropout=0,interval(0.1,0.2),interval(0.3,0.4)": "a list has one interval at most",
    "search=bayes regularization.dropout=0,0,interval(0.1,0.2)": "the values of a list differ",
    "search=bayes regularization.dropout=interval,interval(0.1,0.2)": "no value beside an interval is called interval",
    "search=bayes search/sampler=gp regularization.l2=0,interval(0.1,0.2)": "search/sampler is tpe or random where a",
    "search=bayes seed=0,interval(1,2)": "`seed is swept by a list or a range, for each setting is trained",
    "regularization.l3=0,1": "There is no key `regularization.l3`",
    "optimizer.momentun=0,0.9": "momentum?",
    "optimizer.momentum=0,0.9": "write +optimizer.momentum=0,0.9",
    "callbacks.dropout_schedule.epochs=1,2": "There is no key `callbacks.dropout_schedule.epochs`",
    "regularization.dropout=0,1.2": "`0 <= dropout < 1` must hold, but got regularization.dropout=1.2",
    "seed=1,2 regularization.l2=0,-1e-3": "regularization.l2=-0.001",
    "network.hidden=[64],[64,64] regularization.dropout=0,[0.1,0.2]": "hold, but got regularization.dropout=[0.1, 0.2]",
    "network=softmax,mlp network.hidden=[0],[64]": "network.hidden",
    "data=digits,wone": "There is no choice `data=wone`. Did you mean wine?",
    "seed=range(3,3)": "seed=range(3,3)",
    "seed=range(0,3,0)": "seed=range(0,3,0)",
    "seed=1,1": "the values of a list differ",
    "search.seed=1,2": "`search.seed` cannot be swept",
    "metric=val/loss,val/error": "`metric` cannot be swept",
    "tracking.keep_weights=1,2": "`tracking.keep_weights` cannot be swept",
    "data.folds=null,5": "`data.folds` cannot be swept, for a mean over folds and a value of one split",
    "loss=cross_entropy,hinge": "`metric=val/error` must hold where `loss` is swept",
    "search=bayes seed=interval(0,9)": "`seed is swept by a list or a range, for each setting is trained",
    "search=bayes seed=1,2 regularization.l2=0 regularization.dropout=0": "something to search besides seeds",
    "seed=1,2 search.n_startup_trials=1": "`search.n_startup_trials == 0 without a sampler`",
    "search=bayes search.enqueue=[{regularization.l3:1}]": "but got search.enqueue[0].regularization.l3=1.",
    "seed=1,2 hydra.sweep.dir=here": "search.study_name=NAME",
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.items())
def test_bad_sweep_is_refused_in_one_line_and_nothing_is_written(
    arguments: str, words: str, studies: Studies, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refused:
        studies.run(*arguments.split())
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_command_line_takes_the_place_of_params(studies: Studies, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    keys = {d.key: d.distribution for d in studies.plan("search=bayes").line.space}
    assert list(keys) == ["regularization.l2", "regularization.dropout"]
    line = studies.plan("search=bayes", "regularization.l2=1e-4", "regularization.dropout=0,0.5", "seed=1,2").line
    assert {d.key: d.distribution for d in line.space} == {
        "regularization.dropout": CategoricalDistribution([0, 0.5]),
        "seed": CategoricalDistribution([1, 2]),
    }
    assert "regularization.l2=1e-4" in line.fixed
    fixed = [record.message for record in caplog.records if "is fixed" in record.message]
    assert fixed == ["regularization.l2=1e-4 is fixed, so it is not searched."]


def test_what_is_not_searched_is_said_when_a_study_starts_and_not_by_what_reads_it(
    studies: Studies, caplog: pytest.LogCaptureFixture
) -> None:
    line = studies.plan("search=bayes", "regularization.l2=1e-4").line
    caplog.clear()
    caplog.set_level("INFO")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        _, master = studies._compose(("search=bayes", "regularization.l2=1e-4"))
    space = {d.key: d.distribution for d in line.space}
    stored = restore(
        master, {"regularization.l2": "interval(0, 1)", "regularization.dropout": "interval(0, 1)"}, space, "runs"
    )
    assert stored.fixed == line.fixed
    assert caplog.messages == []


def test_grid_is_every_combination_and_the_last_list_varies_fastest(studies: Studies) -> None:
    plan = studies.plan("seed=1,2", "regularization=glob(l2*)")
    assert plan.grid is not None
    pairs = [(params["seed"], params["regularization"]) for params in plan.grid]
    assert pairs == [(seed, choice) for seed in (1, 2) for choice in ("l2", "l2_dropout")]
    assert plan.n_trials == 4
