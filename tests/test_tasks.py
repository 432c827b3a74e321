"""What is predicted: losses and figures of classification and regression, and what follows a metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from ridgeline.checking import ConfigError
from ridgeline.config import Config, as_tree, parse
from ridgeline.data import load_splits
from ridgeline.stack.evaluation import Measures, data_loss_of
from ridgeline.stack.fitting import fit
from ridgeline.stack.prediction import logits_KNC
from ridgeline.tasks.data_loss import DataLoss
from ridgeline.tasks.figures import FIGURES, shown
from ridgeline.tasks.losses import MAE, MSE, Huber, Loss
from ridgeline.trial.requirements import check_device
from settings import small

DIABETES: dict[str, Any] = {"data__name": "diabetes", "data__split": "random"}


def regression(**overrides: Any) -> Config:
    return small(**{**DIABETES, **overrides})


# Losses ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        (MSE(), F.mse_loss),
        (MAE(), F.l1_loss),
        (Huber(delta=0.7), lambda outputs, targets: F.huber_loss(outputs, targets, delta=0.7)),
    ],
)
def test_loss_of_each_fit_and_its_gradient_are_torchs(loss: Loss, theirs: Any) -> None:
    outputs = torch.randn(3, 20, 1, dtype=torch.float64, requires_grad=True)
    targets = torch.randn(3, 20, dtype=torch.float64)
    ours_K = DataLoss(loss).mean_K(outputs, targets)
    their_K = [theirs(outputs[k, :, 0], targets[k]) for k in range(3)]
    torch.testing.assert_close(ours_K, torch.stack(their_K), rtol=1e-12, atol=0)
    ours, their = (torch.autograd.grad(value, outputs)[0] for value in (ours_K.sum(), sum(their_K)))
    torch.testing.assert_close(ours, their, rtol=1e-12, atol=1e-15)


def test_balanced_classes_count_as_scikit_learn_weights_them() -> None:
    config = small(data__name="breast_cancer", loss__class_weight="balanced")
    splits = load_splits(config.data)
    labels_N = splits.train.y_N.numpy()
    weights_C = torch.from_numpy(compute_class_weight("balanced", classes=np.unique(labels_N), y=labels_N)).float()
    data_loss = data_loss_of(config, splits, 2)
    outputs, targets = torch.randn(2, 40, 2), splits.train.y_N[:80].view(2, 40)
    theirs = torch.stack(
        [F.cross_entropy(o, t, weights_C, reduction="none") for o, t in zip(outputs, targets, strict=True)]
    )
    torch.testing.assert_close(data_loss.each_KB(outputs, targets), theirs)
    torch.testing.assert_close(data_loss.mean_K(outputs, targets), theirs.mean(dim=1))


def test_smoothed_loss_of_balanced_classes_is_torchs() -> None:
    outputs, targets, weights = torch.randn(1, 40, 3).double(), torch.arange(40)[None] % 3, torch.tensor([[0.5, 2, 1]])
    data_loss = DataLoss(small().loss, weights.double())
    ours = data_loss.mean_K(outputs, targets, torch.tensor([0.3], dtype=torch.float64))
    theirs = F.cross_entropy(outputs[0], targets[0], weights[0].double(), reduction="none", label_smoothing=0.3).mean()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)


def test_balanced_classes_are_those_of_each_folds_own_train_split() -> None:
    config = small(data__name="wine", data__folds=3, loss__class_weight="balanced")
    splits = load_splits(config.data)
    weights_KC = data_loss_of(config, splits, 6).weights_KC
    assert weights_KC is not None
    for k in range(6):
        labels_N = splits.train.y_N.view(3, -1)[k % 3].numpy()
        expected = compute_class_weight("balanced", classes=np.arange(3), y=labels_N)
        np.testing.assert_allclose(weights_KC[k], expected, rtol=1e-6)


def test_auto_loss_is_the_usual_one_of_the_task() -> None:
    assert small().loss.name == "cross_entropy"
    assert regression().loss.name == "mse"
    assert regression(loss__name="auto").loss == MSE()
    assert regression(loss__name="huber", loss__delta=2).loss == Huber(delta=2.0)


# Figures --------------------------------------------------------------------------------------------------------------


def theirs(name: str, outputs: np.ndarray, targets: np.ndarray) -> float:
    """As scikit-learn has it."""
    if FIGURES[name].task == "regression":
        import scipy.stats

        predicted = outputs[:, 0]
        return {
            "rmse": lambda: metrics.root_mean_squared_error(targets, predicted),
            "mae": lambda: metrics.mean_absolute_error(targets, predicted),
            "r2": lambda: metrics.r2_score(targets, predicted),
            "spearman": lambda: scipy.stats.spearmanr(targets, predicted).statistic,
        }[name]()
    p_NC, predicted = torch.from_numpy(outputs).softmax(1).numpy(), outputs.argmax(1)
    each = np.eye(p_NC.shape[1])[targets]
    return {
        "error": lambda: 1 - metrics.accuracy_score(targets, predicted),
        "balanced_error": lambda: 1 - metrics.balanced_accuracy_score(targets, predicted),
        "auroc": lambda: metrics.roc_auc_score(targets, p_NC, multi_class="ovr"),
        "average_precision": lambda: metrics.average_precision_score(each, p_NC),
        "f1": lambda: metrics.f1_score(targets, predicted, average="macro"),
    }[name]()


@pytest.mark.parametrize("name", list(FIGURES))
@pytest.mark.parametrize("folds", [None, 7])
def test_figure_of_each_fit_is_scikit_learns_whatever_the_folds(name: str, folds: int | None) -> None:
    """142 wines in 7 folds: some validate on one more than others, and train on the same number."""
    config = (
        small(data__name="wine", data__folds=folds, metric=f"val/{name}")
        if FIGURES[name].task == "classification"
        else regression(data__folds=folds, metric=f"val/{name}")
    )
    splits = load_splits(config.data)
    (result,) = fit([config], splits)
    assert result.value == result.history[result.best_epoch - 1][f"val/{name}"] or folds
    expected = []
    for fold in range(folds or 1):
        prefix = f"fold/{fold}/" if folds else ""
        weights = {n.removeprefix(prefix): w for n, w in result.weights.items() if n.startswith(prefix)}
        size = (splits.validation.sizes or (splits.validation.n,))[fold]
        rows = slice(fold * splits.validation.n, fold * splits.validation.n + size)
        outputs, targets = (
            logits_KNC(config, [weights], splits.validation.x_NI[rows])[0].numpy(),
            splits.validation.y_N[rows].numpy(),
        )
        scale = splits.scalers[fold].target_std
        unit = float(scale) if scale is not None and FIGURES[name].has_unit else 1.0
        expected.append(unit * theirs(name, outputs, targets))
    assert result.value == pytest.approx(np.mean(expected), rel=1e-4)


def test_nan_of_one_fit_leaves_the_figures_of_the_others() -> None:
    for config in (small(data__name="wine"), regression()):
        splits = load_splits(config.data)
        n, task = splits.validation.n, splits.task
        outputs = torch.randn(2, n, splits.n_outputs)
        names = [name for name, figure in FIGURES.items() if figure.task == task]
        data_loss, values = data_loss_of(config, splits, 2), []
        for spoilt in (False, True):
            outputs[1, 0, 0] = torch.nan if spoilt else 0.0
            measures, targets = Measures(names, splits.validation, splits, 2), splits.validation.y_N.expand(2, -1)
            measures.add(outputs, targets, data_loss.mean_K(outputs, targets))
            values.append(measures.values_MK())
        assert torch.equal(values[0][:, 0], values[1][:, 0])


def test_figures_are_written_as_people_read_them() -> None:
    assert shown("val/error", 0.0123) == "1.23%"
    assert shown("val/rmse", 52003.1234) == "52003.1"
    assert shown("val/auroc", 0.98765) == "0.9877"
    assert shown("loss", 0.25) == "0.2500"


# Regression -----------------------------------------------------------------------------------------------------------


def test_targets_are_standardized_by_the_train_split_and_come_back_in_their_unit() -> None:
    splits = load_splits(regression().data)
    assert splits.train.y_N.dtype == torch.float32
    assert splits.train.y_N.mean().item() == pytest.approx(0, abs=1e-6)
    assert splits.train.y_N.std(correction=0).item() == pytest.approx(1, rel=1e-6)
    assert abs(splits.validation.y_N.mean().item()) > 1e-3
    own = splits.scaler.undo_targets(splits.train.y_N.numpy())
    np.testing.assert_allclose(own, np.round(own), atol=1e-4)  # of this data set whole numbers
    assert (own.min(), own.max()) == (pytest.approx(25, abs=1e-4), pytest.approx(346, abs=1e-4))
    assert (splits.task, splits.n_outputs, splits.n_classes, splits.description.classes) == ("regression", 1, 0, 0)


def test_history_of_regression_has_its_figures_and_no_error() -> None:
    (result,) = fit([regression()], load_splits(regression().data))
    names = ["epoch", "train/loss", "train/rmse", "train/objective", "val/loss", "val/rmse", "val/mae", "val/r2", "gap"]
    assert list(result.history[0]) == names
    assert {f"final/{s}_{n}" for s in ("train", "val") for n in ("loss", "rmse", "mae", "r2")} <= set(result.metrics)
    std = float(load_splits(regression().data).scaler.target_std)
    assert result.history[0]["val/rmse"] == pytest.approx(std * result.history[0]["val/loss"] ** 0.5, rel=1e-5)


def test_network_of_regression_is_as_good_as_a_linear_one() -> None:
    """Ridge regression of scikit-learn reaches an R2 of 0.5 on this split."""
    from sklearn.linear_model import Ridge

    config = regression(trainer__max_epochs=30, optimizer__lr=1e-2, regularization__l2=1e-2)
    splits = load_splits(config.data)
    train, validation = splits.train, splits.validation
    linear = Ridge(1.0).fit(train.x_NI.numpy(), train.y_N.numpy())
    (result,) = fit([config], splits)
    assert result.metrics["final/val_r2"] > linear.score(validation.x_NI.numpy(), validation.y_N.numpy()) - 0.05


def test_friedman_is_drawn_with_its_seed_and_noise() -> None:
    made = {"data__name": "friedman", "data__split": "random", "data__examples": 200, "data__noise": 1.0}
    first, again, other = (load_splits(small(**made, data__seed=seed).data) for seed in (1, 1, 2))
    assert torch.equal(first.train.y_N, again.train.y_N)
    assert not torch.equal(first.train.x_NI, other.train.x_NI)
    assert first.description.features == 10
    assert (
        first.description.hash != load_splits(small(**{**made, "data__noise": 2.0}, data__seed=1).data).description.hash
    )


def test_folds_of_regression_standardize_their_own_targets() -> None:
    config = regression(data__folds=3)
    splits = load_splits(config.data)
    assert [float(y_N.mean().abs()) < 1e-6 for y_N in splits.train.y_N.view(3, -1)] == [True] * 3
    assert len({float(scaler.target_mean) for scaler in splits.scalers if scaler.target_mean is not None}) == 3
    (result,) = fit([config], splits)
    folds = [result.metrics[f"fold/{f}/val_rmse"] for f in range(3)]
    assert result.metrics["final/val_rmse"] == pytest.approx(np.mean(folds))


def test_fit_of_regression_ends_with_the_same_bits_alone_and_stacked() -> None:
    configs = [regression(seed=seed, regularization__dropout=0.1 * seed) for seed in range(3)]
    splits = load_splits(configs[0].data)
    stacked = fit(configs, splits)
    for config, result in zip(configs[:2], stacked[:2], strict=True):
        alone = fit([config, configs[2]], splits)[0]
        assert alone.history == result.history
        assert all(torch.equal(alone.weights[name], tensor) for name, tensor in result.weights.items())


# What follows the metric ----------------------------------------------------------------------------------------------


def test_best_epoch_and_early_stopping_follow_a_figure_that_is_the_better_the_larger() -> None:
    stopping = {"callbacks__early_stopping": {"monitor": "val/auroc", "patience": 3}}
    config = small(data__name="wine", metric="val/auroc", trainer__max_epochs=40, optimizer__lr=0.1, **stopping)
    (result,) = fit([config], load_splits(config.data))
    values = [row["val/auroc"] for row in result.history]
    assert result.value == max(values)
    assert result.best_epoch == values.index(max(values)) + 1
    assert result.end == "early_stopping"
    assert result.epochs == result.best_epoch + 3
    assert max(values) > min(values)


def test_metric_of_training_is_measured_on_its_batches() -> None:
    config = small(metric="train/f1", trainer__restore_best=False, data__fit_on="train_validation")
    (result,) = fit([config], load_splits(config.data))
    assert [0 < row["train/f1"] <= 1 for row in result.history] == [True] * 3
    assert result.value == result.history[-1]["train/f1"]
    assert 0 < result.metrics["final/train_f1"] <= 1


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"metric": "val/rmse"}, "`task == regression` must hold with metric=val/rmse, but got task=classification."),
        ({**DIABETES, "metric": "val/error"}, "`task == classification` must hold with metric=val/error"),
        ({"metric": "val/accuracy"}, "`metric in {train/loss, train/error, "),
        ({"metric": "test/error"}, "but got metric=test/error."),
        ({"callbacks__early_stopping": {"monitor": "val/r2"}}, "with callbacks.early_stopping.monitor=val/r2"),
        (
            {"metric": "val/auroc", "search__direction": "minimize"},
            "`search.direction is maximize with metric=val/auroc`",
        ),
        ({"search__direction": "maximize"}, "`search.direction is minimize with metric=val/loss`"),
        ({"loss__name": "mse"}, "`loss is one of classification with data=digits` must hold, but got loss=mse."),
        ({**DIABETES, "loss__name": "hinge"}, "`loss is one of regression with data=diabetes`"),
        ({**DIABETES, "loss__class_weight": "balanced"}, "`loss.class_weight is null with data=diabetes"),
        (
            {**DIABETES, "loss__name": "huber", "loss__delta": 0.0},
            "`loss.delta > 0` must hold, but got loss.delta=0.0.",
        ),
        ({"loss__name": "no_such"}, "`loss.name in {auto, cross_entropy, hinge, "),
        ({"task": "regression"}, "`task is auto or classification with data=digits`"),
        ({**DIABETES, "regularization__label_smoothing": 0.1}, "label_smoothing == 0 unless loss == cross_entropy"),
        ({**DIABETES, "network__output": "sigmoid"}, "`network.output is softmax unless"),
    ],
)
def test_what_does_not_fit_the_task_is_refused_in_one_line(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        small(**overrides)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_cannot_be_stratified() -> None:
    with pytest.raises(ConfigError, match=r"`data.split is auto, random or first in regression"):
        load_splits(small(data__name="diabetes", data__split="stratified").data)


# A loss of the user's own ---------------------------------------------------------------------------------------------

MINE = """
import torch
from torch.nn import functional as F

def focal(outputs, targets, gamma: float = 2.0):
    losses = F.cross_entropy(outputs, targets, reduction="none")
    return (1 - torch.exp(-losses)) ** gamma * losses

def one_number(outputs, targets):
    return F.cross_entropy(outputs, targets)

def centred(outputs, targets):
    losses = F.cross_entropy(outputs, targets, reduction="none")
    return losses - losses.mean()

def constant(outputs, targets):
    return torch.zeros(len(targets))

def detached(outputs, targets):
    return F.cross_entropy(outputs.detach(), targets, reduction="none")

def writing(outputs, targets):
    outputs -= outputs.mean(1, keepdim=True)
    return F.cross_entropy(outputs, targets, reduction="none")

def noisy(outputs, targets):
    return focal(outputs + 0.1 * torch.randn_like(outputs), targets)

class Scaled(torch.nn.Module):
    def __init__(self, learned: bool = True):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(()), requires_grad=learned)

    def forward(self, outputs, targets):
        return self.scale.exp() * F.cross_entropy(outputs, targets, reduction="none")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a module with losses."""
    made = tmp_path_factory.mktemp("modules")
    (made / "own_losses.py").write_text(MINE)
    return str(made)


def test_own_loss_trains_as_the_same_one_of_ours_does() -> None:
    """torch's cross entropy, and that with gamma = 0."""
    splits = load_splits(small().data)
    (ours,), (theirs_,) = (
        fit([small(**loss)], splits) for loss in ({}, {"loss___target_": "torch.nn.functional.cross_entropy"})
    )
    for name in ("train/loss", "val/loss"):
        assert [row[name] for row in theirs_.history] == pytest.approx([row[name] for row in ours.history], rel=1e-5)


def test_own_loss_ends_with_the_same_bits_alone_and_stacked_and_is_weighted_by_class(folder: str) -> None:
    own = {"import_path": folder, "loss___target_": "own_losses.focal", "loss__gamma": 1.5}
    configs = [small(**own, loss__class_weight="balanced", data__name="wine", seed=seed) for seed in range(3)]
    assert parse(as_tree(configs[0])) == configs[0]
    splits = load_splits(configs[0].data)
    stacked = fit(configs, splits)
    assert fit([configs[0], configs[2]], splits)[0].history == stacked[0].history
    unweighted = fit([small(**own, data__name="wine")] * 2, splits)[0]
    assert unweighted.history[0]["train/loss"] != stacked[0].history[0]["train/loss"]


def test_own_loss_of_numbers_gets_numbers() -> None:
    own = regression(loss___target_="torch.nn.functional.huber_loss", loss__delta=0.7)
    splits = load_splits(own.data)
    (ours,), (theirs_,) = fit([regression(loss__name="huber", loss__delta=0.7)], splits), fit([own], splits)
    assert theirs_.value == pytest.approx(ours.value, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (
            "own_losses.one_number",
            "gives 8 losses for 8 examples` must hold, but own_losses.one_number has one number: reduction=",
        ),
        ("own_losses.centred", "does not depend on the others` must hold, but own_losses.centred has other losses"),
        ("torch.nn.functional.huber_loss", "can be called with outputs and targets` must hold, but torch.nn"),
        ("own_losses.constant", "has a gradient in the outputs` must hold, but own_losses.constant has losses without"),
        ("own_losses.detached", "has a gradient in the outputs` must hold, but own_losses.detached has losses without"),
        ("own_losses.writing", "leaves outputs and targets as they are` must hold, but own_losses.writing"),
        ("own_losses.noisy", "the same losses each time` must hold, but own_losses.noisy has other losses"),
        ("own_losses.Scaled", r"trains nothing of its own, .*` must hold, but own_losses.Scaled has a parameter"),
    ],
)
def test_own_loss_that_is_none_is_refused_before_anything_trains(folder: str, loss: str, words: str) -> None:
    config = small(import_path=folder, loss___target_=loss)
    with pytest.raises(ConfigError, match=words):
        check_device(config)


def test_own_loss_may_have_parameters_that_do_not_train(folder: str) -> None:
    check_device(small(import_path=folder, loss___target_="own_losses.Scaled", loss__learned=False))


@pytest.mark.parametrize("loss", ["torch.nn.CrossEntropyLoss", "torch.nn.functional.cross_entropy"])
def test_weights_of_classes_are_given_as_a_list(loss: str) -> None:
    """In float64 too, in which the gradient check computes."""
    import torch

    weights = [1.0 + c for c in range(10)]
    config = small(loss___target_=loss, loss__weight=weights)
    check_device(config)
    outputs_1BC, targets_1B = torch.randn(1, 5, 10, dtype=torch.float64), torch.tensor([[0, 3, 3, 9, 1]])
    each_B = torch.nn.functional.cross_entropy(outputs_1BC[0], targets_1B[0], reduction="none")
    expected_B = each_B * torch.tensor(weights)[targets_1B[0]]
    torch.testing.assert_close(config.loss.each_KB(outputs_1BC, targets_1B)[0], expected_B)
    with pytest.raises(ConfigError, match=r"^`loss\._target_ can be called with outputs and targets` must hold"):
        check_device(small(loss___target_=loss, loss__weight=weights[:3]))


def test_a_huge_or_tiny_loss_has_six_digits() -> None:
    assert shown("val/loss", 1.25e-30) == "1.25e-30"
    assert shown("val/loss", 0.0) == "0.0000"
    assert shown("val/loss", 98118957511288553472.0) == "9.8119e+19"
