"""Whatever Hydra's composition makes of a swept value is in the trial, whichever launcher trains it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from ridgeline.checking import ConfigError
from ridgeline.command_line.composed import as_typed, plain
from ridgeline.entry_points import ROOT
from ridgeline.search.plan import make_plan
from ridgeline.search.sampling import combinations
from sweeping import Studies, results, table
from test_stacked_study import ONE_WORKER, train

LINES = {
    "another key": "regularization.dropout=0.1,0.2 regularization.input_dropout=${regularization.dropout}",
    "a chain": "seed=1,2 data.seed=${seed} search.seed=${data.seed}",
    "a relative one": "regularization.dropout=0.1,0.2 regularization.input_dropout=${.dropout}",
    "a resolver": "trainer.batch_size=16,32 trainer.max_epochs=${oc.select:trainer.batch_size,7}",
    "a swept reference": "regularization.dropout=0.1,0.2 regularization.input_dropout=0.1,${regularization.dropout}",
    "within a list": "trainer.batch_size=16,32 network.hidden=[8,${trainer.batch_size}],[32,16]",
    "a mapping": "callbacks.early_stopping={patience:3},{patience:4}",
    "an added key": "++optimizer.weight_decay=0.1,0.2 optimizer=adamw regularization.l2=${optimizer.weight_decay}",
    "of a group's choice": "regularization=none,l2 regularization.input_noise=${regularization.l2}",
    "a group with a default of its own": "experiment=by_hand/l2,by_hand/baseline seed=1,2",
    "what Hydra chose": "network=mlp,softmax tracking.experiment=${hydra:runtime.choices.network}",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_trial_is_what_hydra_composes(line: str, tmp_path: Path) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        context, master = Studies(tmp_path, tmp_path / "mlflow.db")._compose(tuple(line.split()))
        typed = as_typed(master.hydra.overrides.task)
        plan = make_plan(context, master, typed, typed)
        for params in combinations(plan.line.space):
            config = context.config_loader.load_sweep_config(master, plan.line.overrides(params))
            HydraConfig.instance().set_config(config)
            assert plan.trees.of(params).tree == plain(config)


def test_what_follows_from_no_swept_key_costs_a_trial_nothing(tmp_path: Path) -> None:
    """Each of a study's configurations would be composed anew, which takes a hundred times as long as a copy."""
    studies = Studies(tmp_path, tmp_path / "mlflow.db")
    for line in (
        "regularization.dropout=0.1,0.2",
        "regularization.dropout=0.1,0.2 paths.log_dir=a${data.seed}/${paths.data_dir}",
    ):
        (combination,) = studies.plan(*line.split()).trees.composed.values()
        assert combination.followers == {}
    (combination,) = studies.plan("seed=1,2", "paths.log_dir=a${data.seed}/${seed}").trees.composed.values()
    assert [*combination.followers] == ["paths.log_dir"]


def test_value_that_follows_from_a_swept_one_makes_another_study(tmp_path: Path) -> None:
    studies = Studies(tmp_path, tmp_path / "mlflow.db")
    alone = studies.plan("regularization.dropout=0.1,0.2", "regularization.input_dropout=0.1")
    follows = studies.plan("regularization.dropout=0.1,0.2", "regularization.input_dropout=${.dropout}")
    assert follows.definition["config"]["regularization.input_dropout"] == "${.dropout}"
    assert alone.name != follows.name


def test_trials_whose_shape_follows_from_a_number_share_no_stack(tmp_path: Path) -> None:
    plan = Studies(tmp_path, tmp_path / "mlflow.db").plan("seed=1,2", "data.seed=${seed}")
    assert plan.structural == ["data.seed"]


def test_value_that_follows_from_the_job_is_refused(tmp_path: Path) -> None:
    studies = Studies(tmp_path, tmp_path / "mlflow.db")
    with pytest.raises(ConfigError, match=r"follows from the job's number or folder.*seed=\$\{hydra:job.num\}"):
        studies.plan("regularization.l2=0,1e-3", "seed=${hydra:job.num}")


@pytest.mark.verify
def test_launchers_make_the_same_table_of_references(tmp_path: Path) -> None:
    line = ["data=wine", "network.hidden=[8]", "trainer.max_epochs=2", "regularization.dropout=0.1,0.3,0.5"]
    line += ["regularization.input_dropout=${regularization.dropout}"]
    store = tmp_path / "mlflow.db"
    stacked = Studies(tmp_path / "stacked", store).run(*line, *ONE_WORKER, task=train)
    single = Studies(tmp_path / "single", store).run(*line, "hydra/launcher=basic", task=train)
    assert results(stacked) == results(single)
    assert len({row["value"] for row in table(stacked)}) == 3
    for number in range(3):
        folders = (folder / "jobs" / str(number) / ".hydra" / "config.yaml" for folder in (stacked, single))
        texts = [path.read_text().partition("\nruns:")[0] for path in folders]
        assert "input_dropout: 0." in texts[0]
        assert "${" not in texts[1]
