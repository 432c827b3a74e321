"""What `trainer.precision` promises: coarser products alone, in training and measuring alike, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ridgeline.config import precision as of_config
from ridgeline.config.precision import choose
from ridgeline.config.stored import read_stored
from ridgeline.data import Splits
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.precision import predict
from settings import small
from sweeping import Studies

KNOBS = [
    {"seed": 1, "regularization__l2": 1e-3, "regularization__dropout": [0.3, 0.1]},
    {"seed": 2, "regularization__dropout": 0.5, "regularization__input_dropout": 0.2},
    {"seed": 3, "regularization__l1": 1e-4, "regularization__dropout": 0.2, "optimizer__gradient_clip_val": 0.5},
]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_bfloat16_trains_to_nearly_the_error_of_float32(digits: Splits, activation: str) -> None:
    knobs = {**KNOBS[0], "network__activation": activation, "trainer__max_epochs": 15}
    (exact,), (rounded,) = (fit([small(**knobs, trainer__precision=p)], digits) for p in ("32-true", "bf16-mixed"))
    assert all(rounded.history[0][name] != exact.history[0][name] for name in ("train/loss", "val/loss"))
    assert rounded.value == pytest.approx(exact.value, rel=0.05)
    assert rounded.metrics["final/val_error"] == pytest.approx(exact.metrics["final/val_error"], abs=0.02)
    assert exact.metrics["final/val_error"] < 0.1


def test_weights_stay_float32(digits: Splits) -> None:
    (result,) = fit([small(trainer__precision="bf16-mixed")], digits)
    assert all(weight.dtype == torch.float32 for weight in result.weights.values())
    assert all((weight != weight.bfloat16()).any() for weight in result.weights.values())


def test_losses_of_rounded_products_are_float32(digits: Splits) -> None:
    network, x_KBI = Stack([small()], digits).network.eval(), digits.train.x_NI[:50].unsqueeze(0)
    exact, rounded = (predict(network, x_KBI, precision) for precision in ("32-true", "bf16-mixed"))
    assert exact.dtype == rounded.dtype == torch.float32
    assert torch.equal(rounded, rounded.bfloat16().float())
    assert not torch.equal(exact, exact.bfloat16().float())


def test_fit_ends_bitwise_the_same_in_any_stack_in_bfloat16(digits: Splits) -> None:
    """K = 2 stands in for a lone fit, which may take another kernel."""
    configs = [small(**knobs, trainer__precision="bf16-mixed") for knobs in KNOBS]
    many = fit(configs, digits)
    few = [*fit(configs[:2], digits), fit([configs[2], configs[0]], digits)[0]]
    for one, other in zip(few, many, strict=True):
        assert one.history == other.history
        assert one.metrics == other.metrics
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_kept_weights_are_measured_in_the_precision_that_they_were_validated_in(digits: Splits) -> None:
    same_part = replace(digits, train=digits.validation)
    (result,) = fit([small(trainer__precision="bf16-mixed")], same_part)
    assert result.metrics["final/gap"] == 0


@pytest.mark.parametrize(("precision", "within"), [("tf32", "high"), ("bf16-mixed", "highest"), ("32-true", "highest")])
def test_precision_of_float32_products_is_set_for_the_training_alone(
    digits: Splits, precision: str, within: str
) -> None:
    seen: list[str] = []
    torch.set_float32_matmul_precision("medium")
    try:
        config = small(trainer__precision=precision, trainer__max_epochs=1)
        fit([config], digits, listener=lambda *_: seen.append(torch.get_float32_matmul_precision()))
        assert (seen, torch.get_float32_matmul_precision()) == ([within], "medium")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_weights_too_small_for_full_precision_are_zero_alone_and_stacked(digits: Splits) -> None:
    halving = {"optimizer__name": "sgd", "optimizer__lr": 0.5, "regularization__l2": 1.0, "trainer__batch_size": None}
    config = small(
        **halving, trainer__max_epochs=135, trainer__num_threads=1, trainer__restore_best=False
    )  # 0.1 * 0.5 ** 135 = 2e-42
    (alone,) = fit([config], digits)
    stacked, _ = fit([config, replace(config, seed=1)], digits)
    tiny = torch.finfo(torch.float32).tiny
    for name, weights in alone.weights.items():
        assert torch.equal(weights, stacked.weights[name])
        assert not ((weights != 0) & (weights.abs() < tiny)).any()
    # Those of a pixel that is blank in all images. Without fused multiplications half of such a number is 0 before it
    # is taken away, so that the smallest that are left stay as they are.
    assert (alone.weights["linears.0.weight"][:, 0].abs() < 2 * tiny).all()
    assert torch.full((1,), 1e-40).mul(1.0) != 0  # elsewhere they are what they were


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool, float], None]]:
    """Sets what `auto` finds: whether the processor has products in bfloat16, and how many times as fast they are."""

    def set_to(has_flag: bool, ratio: float) -> None:
        choose.cache_clear()
        monkeypatch.setattr(of_config, "_has_flag", lambda: has_flag)
        monkeypatch.setattr(of_config, "measured_ratio", lambda device: ratio)

    yield set_to
    choose.cache_clear()


@pytest.mark.parametrize(
    ("has_flag", "ratio", "precision"),
    [(True, 2.0, "bf16-mixed"), (True, 1.1, "32-true"), (False, 9.0, "32-true")],
)
def test_auto_is_bfloat16_where_its_products_pay(
    measured: Callable[[bool, float], None], has_flag: bool, ratio: float, precision: str
) -> None:
    measured(has_flag, ratio)
    assert small(trainer__precision="auto", trainer__accelerator="cpu").trainer.precision == precision


def test_auto_is_measured_on_this_machine() -> None:
    ratio = of_config.measured_ratio(torch.device("cpu"))
    assert 0 < ratio < 100


@pytest.mark.verify
def test_study_keeps_the_precision_that_it_began_with(
    measured: Callable[[bool, float], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies, said = Studies(tmp_path / "runs", tmp_path / "mlflow.db"), list[str]()
    for n_trials, ratio in ((3, 2.0), (5, 0.5)):
        measured(True, ratio)
        typed = ["search=random", "search.study_name=kept", f"search.n_trials={n_trials}", "trainer.precision=auto"]
        folder = studies.run(*typed, "trainer.accelerator=cpu")
        said.append(capsys.readouterr().out.splitlines()[0])
    assert said[0] == "Products are in bfloat16 (trainer.precision=auto: in bfloat16 they are 2.0 times as fast here)."
    assert said[1] == "Products are as the study began: trainer.precision=bf16-mixed."
    stored = [read_stored(folder / f"jobs/{number}/.hydra/config.yaml") for number in range(5)]
    assert {config.trainer.precision for config in stored} == {"bf16-mixed"}
