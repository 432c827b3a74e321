"""A search that a file describes for Hydra's Optuna plugin is the same study as one that was typed for ours."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hydra import initialize_config_dir

from ridgeline.checking import ConfigError
from ridgeline.command_line.composed import as_typed
from ridgeline.entry_points import ROOT
from ridgeline.search.optuna_plugin import with_its_search
from ridgeline.search.plan import Plan, make_plan
from sweeping import Studies

FILE = """# @package _global_
defaults:
  - override /hydra/sweeper: optuna
optimized_metric: val/error
hydra:
  mode: MULTIRUN
  sweeper:
    _target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper
    storage: null
    study_name: null
    n_jobs: 1
    direction: minimize
    n_trials: 24
    sampler:
      _target_: optuna.samplers.TPESampler
      seed: 1234
      n_startup_trials: 10
      multivariate: false
    params:
      optimizer.lr: tag(log, interval(0.0001, 0.1))
      network.hidden: choice([8], [16])
      trainer.max_epochs: 2
"""


def planned(folder: Path, text: str, *typed: str) -> Plan:
    """What a study is to do whose file `hparams_search/mine.yaml` has this text."""
    file = folder / "configs" / "hparams_search" / "mine.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    studies = Studies(folder / "runs", folder / "mlflow.db")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        where = f"hydra.searchpath=[file://{folder}/configs]"
        context, master = studies._compose((where, "hparams_search=mine", "data=wine", *typed))
        master, arguments = with_its_search(context.config_loader, master, as_typed(master.hydra.overrides.task))
        return make_plan(context, master, arguments, arguments)


def test_a_file_for_the_optuna_plugin_is_the_study_that_ours_would_be(tmp_path: Path) -> None:
    found = planned(tmp_path, FILE.replace("optimized_metric: val/error\n", ""))
    same = Studies(tmp_path / "runs", tmp_path / "mlflow.db").plan(
        *("data=wine", "search=bayes", "~search.params", "search.n_trials=24", "search.direction=minimize"),
        *("search.seed=1234", "search.n_startup_trials=10", "++search.sampler.multivariate=false"),
        *("optimizer.lr=tag(log,interval(0.0001,0.1))", "network.hidden=[8],[16]", "trainer.max_epochs=2"),
    )
    assert (found.definition, found.name) == (same.definition, same.name)
    assert found.n_trials == 24


def test_what_is_typed_takes_the_place_of_what_the_file_says(tmp_path: Path) -> None:
    plan = planned(tmp_path, FILE, "search.n_trials=5", "optimizer.lr=0.1", "metric=val/loss")
    assert (plan.n_trials, plan.config.metric, plan.config.optimizer.lr) == (5, "val/loss", 0.1)
    assert [d.key for d in plan.line.space] == ["network.hidden"]
    assert planned(tmp_path, FILE).config.metric == "val/error"  # as its trials would return it


def test_the_command_that_trains_a_trial_again_trains_one(tmp_path: Path) -> None:
    """The file asks for many."""
    plan = planned(tmp_path, FILE)
    words = shlex.split(plan.line.retrain({"optimizer.lr": 0.01, "network.hidden": "[8]"}))
    assert {"hydra.mode=RUN", "hparams_search=mine", "optimizer.lr=0.01", "metric=val/error"} <= {*words}
    assert [word for word in words if word.lstrip("~").startswith("search.")] == ["search.direction=minimize"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("direction: [minimize, maximize]", "hydra.sweeper.direction is one value, for a study has one metric,"),
        ("custom_search_space: mine.space", "but got hydra.sweeper.custom_search_space."),
        ("n_trails: 7", "but got hydra.sweeper.n_trails. Did you mean n_trials?"),
        ("params: {optimizer.lr: 'interval(2, 1)'}", "min < max of interval(min, max)"),
    ],
)
def test_what_a_study_does_not_have_is_refused_in_one_line(line: str, says: str, tmp_path: Path) -> None:
    text = f"# @package _global_\ndefaults:\n  - override /hydra/sweeper: optuna\nhydra:\n  sweeper:\n    {line}\n"
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
