"""Every choice in conf/ composes, passes the checks and trains; the entry points stay light."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from ridgeline.config import Config, ScheduleConfig, as_tree, parse
from ridgeline.config.batchable import is_batchable
from ridgeline.data import load_splits
from ridgeline.entry_points import ROOT, checked
from ridgeline.stack.fitting import fit
from ridgeline.tasks.losses import LOSSES

GROUPS = [
    "augmentation",
    "callbacks",
    "data",
    "debug",
    "loss",
    "lr_schedule",
    "model",
    "network",
    "optimizer",
    "regularization",
    "search",
    "tracking",
]
CHOICES = [
    f"{group}={path.stem}"
    for group in [*GROUPS, "trainer"]
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
    # Some need something of the user's: see their own tests.
    if path.stem not in ("own", "table", "images", "arrays", "tabular", "tabular_and_linear")
]
CHOICES += [
    f"experiment={path.parent.name}/{path.stem}" for path in sorted((ROOT / "conf/experiment").glob("*/*.yaml"))
]
MNIST = Path(os.environ.get("RIDGELINE_MNIST", ROOT.parent / "shared" / "data" / "mnist"))


def composed(*overrides: str) -> Config:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return checked(compose("config", overrides=list(overrides)))


@pytest.mark.parametrize("choice", CHOICES)
def test_choice_composes_and_trains(choice: str) -> None:
    overrides = [choice, "trainer.max_epochs=1", "trainer.enable_progress_bar=false"]
    if choice.startswith("augmentation="):
        overrides += ["data.standardize=all"]
    group, name = choice.split("=")
    if group == "loss" and name in LOSSES and LOSSES[name].task == "regression":
        overrides += ["data=diabetes"]
    if choice == "data=mnist" or choice.startswith("experiment=case_study/"):
        if not MNIST.is_dir():
            pytest.skip(f"no MNIST in {MNIST}: set RIDGELINE_MNIST to a folder of its four IDX files")
        overrides += [f"data.root={MNIST}", "data.examples=500"]
    config = composed(*overrides)
    (result,) = fit([config], load_splits(config.data))
    assert result.failure is None
    assert result.epochs == 1
    assert parse(as_tree(config)) == config


def test_every_group_is_tried() -> None:
    assert {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()} == {
        *GROUPS,
        "experiment",
        "paths",
        "trainer",
        "hydra",
    }


def test_callbacks_compose() -> None:
    three = composed("callbacks=[early_stopping,dropout_schedule,penalty_schedule]").callbacks
    assert three.early_stopping is not None
    assert three.dropout_schedule == three.penalty_schedule == ScheduleConfig("linear", 10)
    assert composed("callbacks=none").callbacks.early_stopping is None
    assert composed("metric=val/error").callbacks.early_stopping.monitor == "val/error"  # type: ignore[union-attr]


def test_a_key_absent_from_conf_has_the_default_of_its_dataclass() -> None:
    config = composed("network=softmax")
    assert config.network.hidden == ()
    assert {f.name for f in dataclasses.fields(Config)} >= {"data", "network", "regularization"}


@pytest.mark.parametrize("flag", [["--help"], ["--cfg", "job"], ["-sc", "query=hidden"]])
def test_help_and_composition_import_nothing_heavy(flag: list[str]) -> None:
    """What makes them answer in under two seconds: no torch, Lightning, MLflow, Optuna, scikit-learn, pandas."""
    command = [sys.executable, "-X", "importtime", "pipelines/train.py", *flag]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert {"hydra", "ridgeline"} <= imported
    heavy = {"torch", "pytorch_lightning", "mlflow", "optuna", "sklearn", "pandas", "matplotlib", "ray"}
    assert not imported & heavy


def test_help_shows_the_groups_and_three_examples() -> None:
    command = [sys.executable, "pipelines/train.py", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.count("python pipelines/train.py") >= 3
    assert all(f"\n{group}: " in shown for group in [*GROUPS, "experiment/by_hand"])


@pytest.mark.parametrize("key", ["seed", "regularization.dropout", "optimizer.lr", "callbacks.penalty_schedule.name"])
def test_knob_lets_fits_share_a_stack(key: str) -> None:
    assert is_batchable(key)


@pytest.mark.parametrize(
    "key",
    [
        "network.hidden",
        "trainer.max_epochs",
        "data.seed",
        "loss",
        "regularization",
        "regularization.penalize",
        "no.key",
    ],
)
def test_other_keys_do_not(key: str) -> None:
    assert not is_batchable(key)
