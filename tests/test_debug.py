"""The checks before a long training: each passes where all is well, and fails on what it is there to find."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ridgeline.config import Config
from ridgeline.entry_points import ROOT
from ridgeline.evaluation.debug.checks import Finding
from ridgeline.evaluation.debug.gradcheck import gradcheck
from ridgeline.evaluation.debug.monotone import monotone
from ridgeline.evaluation.debug.overfit import overfit
from ridgeline.networks.layers.perceptron import Perceptron
from ridgeline.networks.stacking import products
from ridgeline.regularizers import l2
from ridgeline.stack.module import Stack
from settings import small

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tanh": {"network__activation": "tanh"},
    "sigmoid": {"network__activation": "sigmoid"},
    "hinge": {"loss__name": "hinge"},
    "softmax": {"network__name": "softmax"},
    "one logit": {"data__name": "breast_cancer", "network__output": "sigmoid"},
    "penalties": {"regularization__l1": 0.01, "regularization__l2": 0.1},
    "groups": {"regularization__l1": 0.01, "regularization__group_lasso": 0.01},
    "hidden penalized": {"regularization__l2": 0.1, "regularization__penalize": "hidden"},
    "long rows": {"network__hidden": [320, 250], "regularization__l2": 0.1},
    "noise": {"regularization__input_noise": 0.3, "regularization__label_smoothing": 0.2},
    "mixup": {"regularization__mixup": 0.5, "regularization__label_smoothing": 0.2},
    "mixup, hinge": {"regularization__mixup": 0.5, "loss__name": "hinge"},
    "dropout": {"regularization__dropout": [0.5, 0.2], "regularization__input_dropout": 0.2},
    "dropconnect": {"regularization__dropconnect": 0.4, "regularization__dropout": 0.2, "regularization__l2": 0.1},
    "a point that loses all": {
        "data__name": "moons",
        "data__examples": 100,
        "data__noise": 0.3,
        "regularization__input_dropout": 0.5,
        "regularization__dropout": 0.5,
    },
    "augmentation": {"data__standardize": "all", "augmentation__rotate": 10, "augmentation__flip": 0.5},
    "erasing": {"data__standardize": "all", "augmentation__erase": 0.5},
    "bounds": {"regularization__max_norm": 0.5, "regularization__weight_average": 0.9},
    "sgd": {"optimizer__name": "sgd", "optimizer__lr": 0.05, "optimizer__momentum": 0.9, "optimizer__nesterov": True},
    "clipped": {"optimizer__gradient_clip_val": 1e-3},
    "schedules": {
        "callbacks.penalty_schedule.name": "late",
        "callbacks.early_stopping.patience": 1,
        "regularization__l2": 0.1,
        "trainer__precision": "bf16-mixed",
    },
}


def difference(finding: Finding) -> float:
    found = re.search(r"differs by (\S+) ", finding.figure)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_gradcheck_passes_for_every_network_loss_and_penalty(name: str) -> None:
    finding = gradcheck(small(**CONFIGURATIONS[name]))
    assert finding.passed, finding
    assert difference(finding) < 1e-7


def broken_product(*given: Any) -> Any:
    x_grad, *others = RIGHT(*given)
    return None if x_grad is None else 1.01 * x_grad, *others


RIGHT = products._Product.backward


def test_gradcheck_fails_on_a_layer_whose_gradient_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products._Product, "backward", staticmethod(broken_product))
    finding = gradcheck(small())
    assert not finding.passed
    assert difference(finding) > 1e-4
    assert re.search(r"Worst is linears\.\d\.\w+: the gradient has \S+ where J's difference has \S+\.", finding.figure)


@pytest.mark.parametrize("hidden", [[24, 16], [320, 250]])
def test_gradcheck_fails_on_a_penalty_whose_gradient_is_left_out(
    monkeypatch: pytest.MonkeyPatch, hidden: list[int]
) -> None:
    """In rows that are short, and in those where the optimizer adds it."""
    monkeypatch.setattr(l2, "add_l2_gradient_", lambda *given: None)
    monkeypatch.setattr("ridgeline.stack.optimizers.RowOptimizer.adds_l2", lambda *given: False)
    finding = gradcheck(small(regularization__l2=0.1, network__hidden=hidden))
    assert not finding.passed


def test_gradcheck_fails_on_masks_that_are_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    right, step = Stack._losses, iter(range(10**9))

    def forgetful(stack: Stack, positions_KB: torch.Tensor) -> Any:
        stack.records[0].step = next(step)
        return right(stack, positions_KB)

    monkeypatch.setattr(Stack, "_losses", forgetful)
    assert gradcheck(small()).passed
    assert not gradcheck(small(regularization__dropout=0.3)).passed
    assert not gradcheck(small(regularization__dropout=0.3, network__activation="tanh")).passed


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name != "clipped"])
def test_monotone_passes_for_every_network_loss_and_penalty(name: str) -> None:
    finding = monotone(small(**CONFIGURATIONS[name]))
    assert finding.passed, finding
    assert "With dropout and noise off J falls at every step, from " in finding.figure


def test_monotone_reports_dropout_beside_it_and_lets_it_decide_nothing() -> None:
    finding = monotone(small(regularization__dropout=0.5))
    assert finding.passed
    assert re.search(r"With them on J rises at \d+ of 29 steps, first at step \d+ from", finding.figure)
    assert "With them on" not in monotone(small()).figure


@pytest.mark.parametrize("optimizer", [{"optimizer__lr": 3.0}, {"optimizer__name": "sgd", "optimizer__lr": 100.0}])
def test_monotone_fails_when_the_learning_rate_is_absurd(optimizer: dict[str, Any]) -> None:
    finding = monotone(small(**optimizer))
    assert not finding.passed
    assert re.search(r"J rises at \d+ of \d+ steps, first at step 1 from 2\.\d+ to", finding.figure)


def test_monotone_fails_when_j_is_no_number() -> None:
    finding = monotone(small(optimizer__name="sgd", optimizer__lr=1e38))
    assert not finding.passed
    assert "It diverged: " in finding.figure


def test_monotone_fails_on_a_gradient_of_the_wrong_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Stack._losses

    def turned(stack: Stack, positions_KB: torch.Tensor) -> Any:
        loss_K, *others = right(stack, positions_KB)
        return 2 * loss_K.detach() - loss_K, *others

    monkeypatch.setattr(Stack, "_losses", turned)
    assert not monotone(small(optimizer__name="sgd", optimizer__lr=0.05)).passed


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name != "clipped"])
def test_overfit_passes_whatever_the_regularization(name: str) -> None:
    finding = overfit(small(**{**CONFIGURATIONS[name], "optimizer__lr": 0.01}))
    assert finding.passed, finding
    assert re.search(r"After \d+ steps 0 of 10 examples are wrong", finding.figure)


def test_overfit_fails_with_a_network_that_says_the_same_of_every_example(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Perceptron.forward
    monkeypatch.setattr(Perceptron, "forward", lambda network, x_KBI: right(network, torch.zeros_like(x_KBI)))
    finding = overfit(small())
    assert not finding.passed
    assert "After 1000 steps 9 of 10 examples are wrong, error 0.90" in finding.figure


def test_overfit_fails_with_a_rate_that_diverges() -> None:
    finding = overfit(small(optimizer__name="sgd", optimizer__lr=1e38))
    assert not finding.passed
    assert "It diverged: " in finding.figure


def test_handful_takes_the_classes_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wine lies sorted by class, so its first ten would be of one."""
    from ridgeline.evaluation.debug.checks import few_examples

    labels = few_examples(small(data__name="wine"), 10).train.y_N.tolist()
    assert labels == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert few_examples(small(data__name="wine"), 10).train.x_NI.dtype == torch.float64


def checked_by_entry_point(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "RIDGELINE_RUNS": str(folder / "runs")}
    command = [sys.executable, str(ROOT / "pipelines/train.py"), *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.verify
@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        ("debug=gradcheck regularization=l2_dropout", "gradcheck: pass. The gradient differs by ", 0),
        ("debug=monotone optimizer.lr=10", "monotone: FAIL. With dropout and noise off J rises at ", 1),
        ("debug=overfit", "overfit: pass. After ", 0),
    ],
)
def test_entry_point_says_pass_or_fail_with_the_figure_exits_accordingly_and_writes_nothing(
    arguments: str, said: str, code: int, tmp_path: Path
) -> None:
    done = checked_by_entry_point(tmp_path, *arguments.split())
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines()[1].startswith(said)
    assert list(tmp_path.iterdir()) == []


def test_debug_is_no_part_of_what_a_training_or_a_study_is() -> None:
    from ridgeline.config.batchable import structure
    from ridgeline.config.deciding import training_keys

    config: Config = small(debug="overfit")
    assert structure(config) == structure(small())
    assert training_keys(config) == training_keys(small())
