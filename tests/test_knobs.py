"""What the knobs promise: 0 is the baseline, a fit ends the same alone and stacked, and each does what it says."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from operations import Operations
from ridgeline.config import ConfigError, RegularizationConfig
from ridgeline.data import Splits, load_splits
from ridgeline.entry_points import ROOT
from ridgeline.networks.stacking.noise import KeyedNoise, normals_of_words
from ridgeline.regularizers import Batch
from ridgeline.regularizers.input_noise import InputNoise
from ridgeline.regularizers.weight_average import WeightAverage
from ridgeline.stack.callbacks import Schedules
from ridgeline.stack.fitting import build_trainer, fit
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitResult
from ridgeline.stack.sparsity import weight_figures
from ridgeline.strengths import strengths_of
from ridgeline.tasks.data_loss import DataLoss
from ridgeline.tasks.losses import CrossEntropy
from settings import bring_numbers, effect_of, small
from test_promise_alone_equals_stacked import assert_same_bits

MNIST = Path(os.environ.get("RIDGELINE_MNIST", ROOT.parent / "shared" / "data" / "mnist"))

VALUES: dict[str, Any] = {"l1": 1e-3, "l2": 1e-2, "group_lasso": 3e-3, "max_norm": 0.7, "dropout": [0.3, 0.1]}
VALUES |= {"input_dropout": 0.2, "dropconnect": 0.3, "input_noise": 0.3, "label_smoothing": 0.2, "mixup": 0.4}
VALUES |= {"weight_average": 0.9}
"""At which a regularizer shows; 0.1 of any other."""


def knobs(values: dict[str, Any], **others: Any) -> Any:
    return small(**{f"regularization__{name}": value for name, value in values.items()}, **others)


def suits_a_perceptron(name: str) -> bool:
    """Not a regularizer of layers that it does not have."""
    try:
        knobs({name: VALUES.get(name, 0.1)})
    except ConfigError:
        return False
    return True


STRENGTHS = [name for name in strengths_of(RegularizationConfig) if suits_a_perceptron(name)]
KNOBS = {name: {name: VALUES.get(name, 0.1)} for name in STRENGTHS} | {"elastic net": {"l1": 1e-3, "l2": 1e-2}}
EVERYTHING = dict.fromkeys(STRENGTHS, 0.1)
EVERYTHING |= {
    "l1": 1e-4,
    "l2": 1e-3,
    "max_norm": 1.0,
    "dropout": 0.2,
    "weight_average": 0.5,
    "group_lasso": 1e-4,
    "mixup": 1.0,
}
OPTIMIZERS = {"adam": {}, "sgd": {"optimizer__name": "sgd", "optimizer__lr": 0.05, "optimizer__momentum": 0.9}}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("penalize", ["all", "hidden"])
def test_fit_without_knobs_is_the_baseline_whatever_its_neighbours_use(
    digits: Splits, optimizer: str, penalize: str
) -> None:
    shared = {**OPTIMIZERS[optimizer], "regularization__penalize": penalize}
    off = dict.fromkeys(EVERYTHING, 0.0)
    alone = fit([small(seed=1, **OPTIMIZERS[optimizer])], digits)[0]
    stacked = fit([knobs(EVERYTHING, seed=2, **shared), knobs(off, seed=1, **shared)], digits)[1]
    assert (alone.history, alone.metrics) == (stacked.history, stacked.metrics)
    assert all(torch.equal(alone.weights[name], stacked.weights[name]) for name in alone.weights)


@pytest.mark.parametrize("knob", KNOBS)
def test_fit_ends_bitwise_the_same_alone_and_in_any_slot_beside_any_neighbour(digits: Splits, knob: str) -> None:
    one, baseline = knobs(KNOBS[knob], seed=1), small(seed=1)
    (alone,) = fit([one], digits)
    many = fit([small(seed=2), knobs(EVERYTHING, seed=3), one], digits)
    assert_same_bits(alone, many[2])
    assert_same_bits(alone, fit([one, knobs(KNOBS[knob], seed=4)], digits)[0])
    assert any(not torch.equal(alone.weights[name], w) for name, w in fit([baseline], digits)[0].weights.items())


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"no MNIST in {MNIST}: set RIDGELINE_MNIST to a folder of its IDX files")
def test_fits_end_bitwise_the_same_alone_and_stacked_on_mnist() -> None:
    """Wide inputs; with as many threads as a worker has."""
    data = {"data__name": "mnist", "data__root": str(MNIST), "data__examples": 2000, "data__standardize": "none"}
    shared = {**data, "network__hidden": [256, 128], "trainer__num_threads": 1, "trainer__max_epochs": 2}
    splits = load_splits(small(**shared).data)
    configs = [knobs(values, seed=seed, **shared) for seed, values in enumerate([EVERYTHING, {}, KNOBS["l1"]])]
    for config, result in zip(configs, fit(configs, splits), strict=True):
        assert_same_bits(fit([config], splits)[0], result)


@pytest.mark.parametrize("form", ["proximal", "subgradient"])
def test_form_of_l1_is_bitwise_the_same_alone_and_stacked(digits: Splits, form: str) -> None:
    configs = [knobs({"l1": l1, "l1_form": form}, seed=seed) for seed, l1 in enumerate([1e-3, 0.0, 1e-2])]
    for config, result in zip(configs, fit(configs, digits), strict=True):
        assert_same_bits(fit([config], digits)[0], result)


def test_knobs_at_zero_add_no_operation_to_a_step(digits: Splits) -> None:
    """Beside the products, the loss, its gradients and the optimizer nothing runs; a knob that is on shows."""
    baseline, (on, off) = (
        operations(digits, {}),
        (operations(digits, v) for v in (EVERYTHING, dict.fromkeys(EVERYTHING, 0.0))),
    )
    assert baseline == off
    assert len(on) > len(baseline)
    assert not {"aten.clamp", "aten.lerp_", "aten.linalg_vector_norm", "aten.sqrt_", "aten.sign"} & set(baseline)


def operations(digits: Splits, values: dict[str, Any]) -> list[str]:
    stack = Stack([knobs(values, seed=seed) for seed in (1, 2)], digits)
    stack.optimizers = lambda: stack.optimizer.torch_optimizer  # type: ignore[method-assign, assignment]
    with Operations() as operations:
        stack.training_step(torch.arange(50).expand(2, -1), 0)
    return [name.rsplit(".", 1)[0] for name in operations.names]


# l1 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [
        *(
            pytest.param({"optimizer__name": "sgd", "optimizer__lr": lr, **momentum}, marks=pytest.mark.verify)
            for lr, momentum in (
                (0.5, {}),
                (0.05, {"optimizer__momentum": 0.9}),
                (0.05, {"optimizer__momentum": 0.9, "optimizer__nesterov": True}),
            )
        ),
        {"optimizer__name": "adam", "optimizer__lr": 0.02},
    ],
)
def test_proximal_l1_rests_where_the_objective_is_smallest(digits64: Splits, optimizer: dict[str, Any]) -> None:
    """The conditions of a minimum of the convex J of softmax regression: without l1 its gradient is -l1 * sign(w) at
    weights that are not 0 and within +-l1 at those that are, whatever the optimizer."""
    l1, l2 = 0.01, 0.01
    config = knobs(
        {"l1": l1, "l2": l2},
        **optimizer,
        network__name="softmax",
        trainer__batch_size=None,
        trainer__max_epochs=1000,
        trainer__restore_best=False,
        lr_schedule__name="cosine",
    )
    (result,) = fit([config], digits64)
    w = result.weights["linears.0.weight"].t().requires_grad_()
    logits = digits64.train.x_NI @ w + result.weights["linears.0.bias"]
    (F.cross_entropy(logits, digits64.train.y_N) + l2 / 2 * w.square().sum()).backward()
    at_zero = w == 0
    assert 0.3 < at_zero.double().mean() < 0.99
    assert w.grad[at_zero].abs().max() <= l1 + 3e-4
    torch.testing.assert_close(w.grad[~at_zero], -l1 * w[~at_zero].sign(), rtol=0, atol=3e-4)


def test_proximal_l1_gives_exact_zeros_and_the_subgradient_none(digits: Splits) -> None:
    """And both end near the same J, though in Adam's steps."""
    knob, longer = {"l1": 3e-3}, {"trainer__max_epochs": 30, "optimizer__lr": 1e-2, "trainer__restore_best": False}
    ours, keras = (fit([knobs({**knob, "l1_form": form}, **longer)], digits)[0] for form in ("proximal", "subgradient"))
    assert ours.metrics["final/zero_weights"] > 0.5
    assert keras.metrics["final/zero_weights"] == 0
    assert ours.history[-1]["train/objective"] == pytest.approx(keras.history[-1]["train/objective"], rel=0.05)


def test_more_l1_makes_more_zeros_and_l2_makes_none(digits: Splits) -> None:
    results = fit([knobs({"l1": l1}, trainer__max_epochs=10) for l1 in (0.0, 1e-4, 1e-3, 0.1)], digits)
    shares = [result.metrics["final/zero_weights"] for result in results]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] > 0.5
    (ridge,) = fit([knobs({"l2": 0.1}, trainer__max_epochs=10)], digits)
    assert ridge.metrics["final/zero_weights"] == 0


# max_norm, penalize --------------------------------------------------------------------------------------------------


def unit_norms(result: FitResult) -> list[torch.Tensor]:
    """Of the incoming weights, a tensor a layer."""
    return [w.norm(dim=1) for name, w in result.weights.items() if name.endswith("weight")]


def test_max_norm_bounds_each_units_incoming_weights(digits: Splits) -> None:
    baseline, bounded, loose = fit([knobs({"max_norm": norm}, optimizer__lr=0.01) for norm in (0.0, 0.6, 1e6)], digits)
    assert all(norms.max() > 0.7 for norms in unit_norms(baseline))
    assert all(norms.max() <= 0.6 * (1 + 1e-5) for norms in unit_norms(bounded))
    assert any(
        (norms < 1.7).any() for norms in unit_norms(fit([knobs({"max_norm": 1.8})], digits)[0])
    )  # only those above
    assert all(torch.equal(loose.weights[name], w) for name, w in baseline.weights.items())


def test_hidden_layers_alone_are_penalized_and_bounded(digits: Splits) -> None:
    strong = {"l1": 0.03, "l2": 3.0, "max_norm": 0.01, "penalize": "hidden"}
    *hidden, output = unit_norms(fit([knobs(strong)], digits)[0])
    assert all(norms.max() <= 0.0101 for norms in hidden)
    assert output.min() > 0.5
    stack = Stack([knobs(strong)], digits)
    squares = sum(stack.network.module.linears[i].weight.square().sum() for i in (0, 1))
    sizes = sum(stack.network.module.linears[i].weight.abs().sum() for i in (0, 1))
    assert stack.penalties_K().item() == pytest.approx((0.03 * sizes + 1.5 * squares).item(), rel=1e-5)


# input_noise ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "other"])
def test_input_noise_is_normal(device: str) -> None:
    """Mean, variance, skewness, kurtosis and the share beyond 2, within 4 standard deviations; neighbours unrelated."""
    noise, n = KeyedNoise(torch.device("cpu")), 2**17
    if device == "cpu":
        drawn = noise.normals_KN([1, 1, 2], [0, 1, 0], [True] * 3, n).double()
    else:
        drawn = normals_of_words(noise.bits_KN([1, 1, 2], [0, 1, 0], [True] * 3, n // 2)).double()
    for row in drawn:
        assert abs(row.mean()) < 4 / math.sqrt(n)
        assert abs(row.var() - 1) < 4 * math.sqrt(2 / n)
        assert abs((row**3).mean()) < 4 * math.sqrt(15 / n)
        assert abs((row**4).mean() - 3) < 4 * math.sqrt(96 / n)
        assert abs((row.abs() > 2).double().mean() - 0.0455) < 4 * math.sqrt(0.0455 / n)
    assert (torch.corrcoef(drawn).fill_diagonal_(0).abs() < 4 / math.sqrt(n)).all()
    halves = torch.stack([drawn[0, : n // 2], drawn[0, n // 2 :]])
    assert abs(torch.corrcoef(halves)[0, 1]) < 4 / math.sqrt(n // 2)


def test_normal_numbers_are_finite_for_every_word() -> None:
    extremes = torch.tensor([[0, -1, 2**63 - 1, -(2**63), 2**31 - 1, -(2**31), 2**32 - 1]])
    normals = normals_of_words(extremes)
    assert normals.isfinite().all()
    assert normals.abs().max() < 6.1


def test_input_noise_has_its_standard_deviation_and_none_in_validation(digits: Splits) -> None:
    stack = Stack([knobs({"input_noise": std}, seed=1) for std in (0.5, 0.0, 2.0)], digits)
    zeros = torch.zeros(3, 1000, 64)
    batch = Batch(zeros, torch.zeros(3, 1000, dtype=torch.int64), [1, 1, 1], [0, 0, 0])
    effect_of(stack, InputNoise).on_batch(batch)
    assert zeros[1].abs().max() == 0
    torch.testing.assert_close(zeros[0] * 4, zeros[2])
    assert zeros[0].std().item() == pytest.approx(0.5, rel=0.02)
    (noisy,) = fit([knobs({"input_noise": 2.0}, trainer__max_epochs=20, optimizer__lr=0.01)], digits)
    assert noisy.metrics["final/train_loss"] < noisy.history[-1]["train/loss"] / 2  # measured without noise


# label_smoothing -----------------------------------------------------------------------------------------------------


def test_label_smoothing_is_torchs(digits64: Splits) -> None:
    logits, targets = (
        torch.randn(4, 30, 10, dtype=torch.float64, requires_grad=True),
        torch.arange(120).view(4, 30) % 10,
    )
    smoothing = torch.tensor([0.0, 0.1, 0.5, 0.9], dtype=torch.float64)
    ours_K = DataLoss(CrossEntropy()).mean_K(logits, targets, smoothing)
    (ours_grad,) = torch.autograd.grad(ours_K.sum(), logits)
    for k, s in enumerate(smoothing.tolist()):
        theirs = F.cross_entropy(logits[k], targets[k], label_smoothing=s)
        assert ours_K[k].item() == pytest.approx(theirs.item(), rel=1e-12)
        (grad,) = torch.autograd.grad(theirs, logits)
        torch.testing.assert_close(ours_grad[k], grad[k])


def test_label_smoothing_counts_in_training_alone(digits: Splits) -> None:
    (result,) = fit([knobs({"label_smoothing": 0.5}, trainer__max_epochs=20)], digits)
    smallest = 0.55 * -math.log(0.55) + 9 * 0.05 * -math.log(0.05)  # no network is below this smoothed loss
    assert result.history[-1]["train/loss"] > smallest
    assert result.metrics["final/train_loss"] < smallest / 2
    assert result.history[-1]["val/loss"] < smallest


# weight_average ------------------------------------------------------------------------------------------------------


def test_average_is_that_of_the_steps_weights(digits: Splits) -> None:
    """Validated, restored and measured are the weights sum d^(t-i) w_i / sum d^(t-i), computed by hand."""
    decay, seen = 0.8, list[dict[str, torch.Tensor]]()
    config = knobs({"weight_average": decay}, trainer__max_epochs=2, trainer__restore_best=False, seed=1)

    class Watched(Stack):
        def training_step(self, positions_KB: torch.Tensor, batch_idx: int) -> None:
            super().training_step(positions_KB, batch_idx)
            seen.append(self.rows.unpack(self.rows.values_KP[0]))

    stack = Watched([config], digits)
    build_trainer(stack, [Schedules()], max_epochs=2).fit(stack)
    (result,) = fit([config], digits)
    factors = [decay ** (len(seen) - 1 - i) for i in range(len(seen))]
    for name, kept in result.weights.items():
        by_hand = sum(f * weights[name].double() for f, weights in zip(factors, seen, strict=True)) / sum(factors)
        torch.testing.assert_close(kept.double(), by_hand, rtol=0, atol=1e-6)
        assert not torch.equal(kept, seen[-1][name])
    network = Stack([small()], digits).network
    network.load_state(0, result.weights)
    loss = F.cross_entropy(network.eval()(digits.validation.x_NI.unsqueeze(0))[0], digits.validation.y_N)
    assert result.value == result.metrics["final/val_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_averaging_leaves_the_training_as_it_is(digits: Splits) -> None:
    averaged, baseline = fit([knobs({"weight_average": 0.95}, seed=1), small(seed=1)], digits)
    assert [row["train/loss"] for row in averaged.history] == [row["train/loss"] for row in baseline.history]
    assert [row["val/loss"] for row in averaged.history] != [row["val/loss"] for row in baseline.history]


def test_average_of_a_fresh_fit_knows_nothing_of_the_fit_before_in_its_slot(digits: Splits) -> None:
    """Which diverged: its average is not a number."""
    config = knobs({"weight_average": 0.9}, seed=1)
    stack = Stack([config, config], digits)
    average = effect_of(stack, WeightAverage)
    average.values_KS.fill_(math.nan)
    stack.load(0, config)
    stack.rows.values_KP.fill_(3.0)
    stack.records[0].step, stack.records[1].step = 0, 4
    bring_numbers(average)
    average.after_step()
    assert (average.values_KS[0] == 3).all()
    assert average.values_KS[1].isnan().all()


def test_fit_without_an_average_is_validated_as_it_is_though_it_overflowed(digits: Splits) -> None:
    """Beside one that has an average: the difference of two infinities is not a number."""
    stack = Stack([knobs({"weight_average": 0.9}), small()], digits)
    average = effect_of(stack, WeightAverage)
    for steps in (0, 1):
        stack.rows.values_KP[1] = math.inf
        stack.records[0].step = stack.records[1].step = steps
        bring_numbers(average)
        average.after_step()
    average.before_validation()
    assert (stack.rows.values_KP[1] == math.inf).all()


# What is measured ----------------------------------------------------------------------------------------------------


def test_sparsity_and_norms_are_counted(digits: Splits) -> None:
    (result,) = fit([small()], digits)
    assert result.metrics["final/zero_weights"] == result.metrics["final/zero_units"] == 0
    norm = result.weights["linears.1.weight"].norm().item()
    assert result.metrics["final/weight_norm/linears.1"] == pytest.approx(norm)
    network = Stack([small()], digits).network
    first, second, third = (weight.value_KIO[0] for weight in network.weights)
    first[:, 3] = 0  # takes nothing in
    second[5] = 0  # gives nothing on
    second[:, 5] = 0  # as does this one of the next layer, without a part of its inputs
    third[5] = 0
    assert not network.state(0)["linears.0.bias"].any()  # counts nowhere
    figures = weight_figures(network, network.rows.state_KS[0])
    n_weights = 64 * 24 + 24 * 16 + 16 * 10
    assert figures["final/zero_weights"] == pytest.approx((64 + 16 + 24 - 1 + 10) / n_weights)
    assert figures["final/zero_units"] == pytest.approx(3 / 40)


@pytest.mark.parametrize("name", list(strengths_of(RegularizationConfig)))
def test_the_baseline_has_every_knob_off(name: str) -> None:
    assert RegularizationConfig(penalize="hidden", l1_form="subgradient").is_off
    assert not replace(RegularizationConfig(), **{name: 0.1}).is_off
