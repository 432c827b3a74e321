"""What a study takes of the environment is read once, where it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ridgeline.search.references import write_out
from sweeping import Studies


def test_another_value_of_the_environment_is_another_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studies, names = Studies(tmp_path / "runs", tmp_path / "mlflow.db"), set()
    for value in ("1", "2"):
        monkeypatch.setenv("SEED_OF_MINE", value)
        folder = studies.run("regularization.l2=0,1e-3", 'seed="${oc.decode:${oc.env:SEED_OF_MINE}}"', "data=wine")
        names.add(folder.name)
        monkeypatch.delenv("SEED_OF_MINE")  # as in another shell
        command = (folder / "optimization_results.yaml").read_text()
        assert f"seed={value} " in command
        assert "oc.env" not in command
    assert len(names) == 2


def test_values_of_the_environment_that_files_refer_to_become_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_OF_MINE", "0.02")
    rate = "${oc.decode:${oc.env:RATE_OF_MINE}}"
    config = OmegaConf.create(
        {
            "optimizer": {"lr": rate, "eps": "${optimizer.lr}"},
            "regularization": {"l2": rate},
            "tracking": {"uri": "${oc.env:RATE_OF_MINE}"},
            "hydra": {"overrides": {"task": []}},
        }
    )
    typed = ["regularization.l2=0,${oc.env:RATE_OF_MINE}", "seed=${oc.env:NOT_THERE_AT_ALL,3}", "metric=${oc.env:NOPE}"]
    settled = write_out(config, typed)
    assert settled == ["regularization.l2=0,0.02", "seed=3", "metric=${oc.env:NOPE}", "++optimizer.lr=0.02"]
    assert OmegaConf.to_container(config.hydra.overrides.task, resolve=False) == settled


def test_what_files_and_arguments_take_of_the_search_is_written_out_too() -> None:
    """Alone a trial has no search to refer to. What is searched, and what follows from a swept key, stays as it is."""
    config = OmegaConf.create(
        {
            "seed": "${search.seed}",
            "data": {"seed": "${search.n_trials}"},
            "optimizer": {"lr": "${search.seed}", "eps": "${add:${search.seed},${seed}}"},
            "search": {"seed": 7, "n_trials": "${seed}", "params": {"optimizer.lr": "interval(0, 1)"}},
            "hydra": {"overrides": {"task": []}},
        }
    )
    typed = ["seed=${search.seed}", "+data.folds=choice(${search.seed},3)", "search.n_jobs=${search.seed}"]
    settled = ["seed=7", "+data.folds=choice(7,3)", "search.n_jobs=${search.seed}"]
    assert write_out(config, typed) == settled
    assert write_out(config, []) == ["++seed=7"]
