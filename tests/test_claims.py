"""Claims about regularization: each measures what it says, fails where it should, and the page has them all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from ridgeline.config import Config
from ridgeline.data import load_splits
from ridgeline.entry_points import ROOT, checked
from ridgeline.stack.fitting import fit
from ridgeline_recipes.claims import corners, descent
from ridgeline_recipes.claims.boundaries import length
from ridgeline_recipes.claims.case_study import NAMES, from_case_study
from ridgeline_recipes.claims.lab import Lab, cut_train
from ridgeline_recipes.claims.linear_range import linear_S
from ridgeline_recipes.claims.running import EXPERIMENTS
from ridgeline_recipes.rules import FAILS, HOLDS, OPEN, UNTESTED, both

QUICK = ("data=digits", "network.hidden=[8]", "trainer.max_epochs=2")


def composed(overrides: Sequence[str]) -> Config:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return checked(compose("config", overrides=list(overrides)))


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(composed, (1, 2))


def test_claim_of_several_parts_holds_if_all_do() -> None:
    assert both(HOLDS, HOLDS) == HOLDS
    assert both(HOLDS, OPEN) == OPEN
    assert both(OPEN, FAILS, HOLDS) == FAILS


def test_groups_come_in_the_order_asked_and_their_fits_are_those_of_a_fit_alone(lab: Lab) -> None:
    variants = [["network.hidden=[12]"], ["regularization.l2=0.1"], ["network.hidden=[12]", "regularization.l2=0.1"]]
    groups = lab.train(QUICK, variants)
    asked = [(group.config.network.hidden, group.config.regularization.l2) for group in groups]
    assert asked == [((12,), 0.0), ((8,), 0.1), ((12,), 0.1)]
    for group in groups:
        assert [one.config.seed for one in group.fits] == [1, 2]
        (alone,) = fit([group.fits[1].config], load_splits(group.config.data))
        assert alone.metrics["final/val_loss"] == pytest.approx(group.fits[1].metrics["final/val_loss"], rel=1e-5)
        assert group.validation.errors_SN.mean(axis=1) == pytest.approx(group.figure_S("val_error"), abs=0.003)


def test_fewer_examples_are_the_same_each_time_and_contain_those_of_fewer_still() -> None:
    splits = load_splits(composed(QUICK).data)
    few, more = cut_train(splits, 10), cut_train(splits, 30)
    assert len(few.train.y_N) == 10
    assert (few.train.x_NI == more.train.x_NI[:10]).all()
    assert few.validation is splits.validation


def test_l1_takes_weights_to_zero_in_a_straight_line_and_l2_does_not(lab: Lab) -> None:
    claim = descent.descent(lab)
    assert claim.verdict == HOLDS
    assert claim.numbers["left_l2"] == pytest.approx((1 - descent.LR * descent.L2) ** descent.STEPS, rel=1e-3)
    assert claim.numbers["weights"] > 0
    assert 0 < claim.numbers["steps_l1"] < descent.STEPS


@pytest.mark.verify
def test_descent_fails_where_l1_does_not_reach_zero(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "VARIANTS", (descent.VARIANTS[1], *descent.VARIANTS[1:]))
    assert descent.descent(lab).verdict == FAILS


def test_contours_are_of_the_loss_that_is_trained(lab: Lab) -> None:
    first = Lab(lab.compose, (1,))
    (group,) = first.train(corners.BASE, [["regularization.l2=0.03"]], corners.two_features)
    weights = group.weights_SW[0].astype(np.float64)
    loss = corners.profile(weights[:1], weights[1:], group.splits.train)
    assert loss[0, 0] == pytest.approx(group.figure_S("train_loss")[0], abs=1e-5)
    nearby = corners.profile(
        weights[0] + np.linspace(-0.1, 0.1, 11), weights[1] + np.linspace(-0.1, 0.1, 11), group.splits.train
    )
    w, v = np.meshgrid(weights[0] + np.linspace(-0.1, 0.1, 11), weights[1] + np.linspace(-0.1, 0.1, 11))
    objective = nearby + 0.015 * (w**2 + v**2)
    assert np.unravel_index(objective.argmin(), objective.shape) == (5, 5)  # the fit is the minimum


def test_length_of_a_straight_boundary_is_its_length() -> None:
    x_G = np.linspace(-2, 2, 81)
    p_GG = 1 / (1 + np.exp(-np.add.outer(x_G, x_G)))
    assert length(p_GG, x_G) == pytest.approx(4 * np.sqrt(2), rel=1e-3)
    assert length(np.full((81, 81), 0.9), x_G) == 0


def test_linear_classifier_is_explained_by_a_linear_map_and_a_network_is_not(lab: Lab) -> None:
    linear, network = lab.train(QUICK[:1], [["network=softmax", "trainer.max_epochs=5"], ["trainer.max_epochs=5"]])
    assert linear_S(linear) == pytest.approx(1.0, abs=1e-6)
    assert (linear_S(network) < 0.98).all()


def test_claims_of_the_case_study_are_not_measured_before_it_ran(tmp_path: Path) -> None:
    claims = from_case_study(tmp_path / "case_study.json")
    assert [claim.name for claim in claims] == list(NAMES.values())
    assert {claim.verdict for claim in claims} == {UNTESTED}


def test_claims_of_the_case_study_are_its_verdicts_and_say_where_readings_differ(tmp_path: Path) -> None:
    def gain(reading: str, mean: float, verdict: str, claim: str) -> dict[str, object]:
        own = {"what": "gain over the baseline", "value": {"mean": mean, "low": mean - 0.001, "high": mean + 0.001}}
        parts = {"validation": {**own, "verdict": verdict}, "test": {**own, "verdict": OPEN}}
        return {"claim": claim, "reading": reading, "unit": "accuracy", **parts}

    rows = [gain("", 0.002, HOLDS, claim) for claim in NAMES if claim != "augmentation helps most"]
    rows += [
        gain("text", 0.004, HOLDS, "augmentation helps most"),
        gain("listing", 0.0, OPEN, "augmentation helps most"),
    ]
    record = {"claims": rows, "data": {"examples": {"train": 42000}}, "network": [784, 10], "seeds": [1, 2]}
    path = tmp_path / "case_study.json"
    path.write_text(json.dumps(record))
    claims = {claim.name: claim for claim in from_case_study(path)}
    assert claims["l2_helps"].verdict == HOLDS
    assert claims["l2_helps"].measured.startswith("Gain over the baseline +0.20 points [+0.10, +0.30] on validation")
    assert claims["augmentation_helps_most"].verdict == "text: holds; listing: not shown"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["claims.seeds=1"], "claims.seeds >= 2"),
        (["data=wine"], "`data` cannot be set here"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(arguments: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "pipelines" / "claims.py"), *arguments, f"runs={tmp_path / 'runs'}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.verify
def test_one_command_measures_every_claim_and_writes_the_page(tmp_path: Path) -> None:
    page, runs = tmp_path / "docs" / "claims.md", tmp_path / "runs"
    command = [
        sys.executable,
        str(ROOT / "pipelines" / "claims.py"),
        "claims.seeds=2",
        f"claims.out={page}",
        f"runs={runs}",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    record = json.loads((runs / "claims" / "claims.json").read_text())
    assert len(record["claims"]) == len(EXPERIMENTS) + len(NAMES)
    text = page.read_text()
    for claim in record["claims"]:
        assert claim["sentence"] in text
    pictures = {line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")}
    assert len(pictures) == 11
    assert all((page.parent / picture).stat().st_size > 10_000 for picture in pictures)
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    (run,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert run.data.tags["claim.zeros"] == record["claims"][len(NAMES) + 2]["verdict"]
    assert run.info.status == "FINISHED"
