"""Pictures show what they claim, and a study of any shape has them or says which it lacks."""

import logging
import math
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
import torch

from ridgeline.evaluation.arms import _asked
from ridgeline.report.curves import curve_figure
from ridgeline.report.pairs import Pair, logged
from ridgeline.report.studies import study_figures

HISTORY = [
    {
        "epoch": float(epoch),
        "train/loss": 2 * math.exp(-epoch / 4) + 0.01,
        "val/loss": 2 * math.exp(-epoch / 4) + 0.1 + 0.004 * epoch,
        "train/error": 0.5 / (epoch + 1),
        "val/error": 0.6 / (epoch + 1),
    }
    for epoch in range(30)
]


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(optuna.logging.INFO)


def study_of(objective, n_trials):
    study = optuna.create_study(study_name="bayes", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials, catch=(ValueError,))
    return study


def bayes(trial):
    l2 = trial.suggest_float("regularization.l2", 1e-6, 1e-1, log=True)
    dropout = trial.suggest_float("regularization.dropout", 0.0, 0.7)
    if trial.number == 3:
        raise ValueError("a failed trial")
    return 0.1 + 0.02 * (math.log10(l2) + 3) ** 2 + (dropout - 0.3) ** 2 + (5 if l2 > 1e-2 else 0)


def test_curves_show_what_is_measured_and_what_the_metric_is():
    regression = [{name.replace("error", "rmse"): value for name, value in row.items()} for row in HISTORY]
    assert [axes.get_ylabel() for axes in curve_figure(regression).axes][1:] == ["RMSE (in the target's unit)"]
    with_metric = [{**row, "val/r2": row["epoch"] / 30 - 0.5} for row in regression]
    *_, last = curve_figure(with_metric, metric="val/r2").axes
    assert last.get_ylabel() == "r2"
    lines = {line.get_label(): line for line in last.lines}
    np.testing.assert_allclose(lines["validation"].get_ydata(), [row["val/r2"] for row in with_metric])
    assert last.get_ylim()[0] <= -0.5


def test_of_a_module_that_logs_by_its_own_names_the_loss_and_the_metric_are_drawn_beside_their_counterparts():
    names = ["epoch", "train_loss_step", "train_loss_epoch", "val_loss", "valid.f1", "lr", "train/acc", "val/acc"]
    rows = [{name: 0.1 * epoch + i for i, name in enumerate(names)} for epoch in (1, 2)]
    assert [axes.get_ylabel() for axes in curve_figure(rows, metric="val/acc", of_module=True).axes] == [
        "val_loss",
        "val/acc",
    ]
    assert logged(names, "val/acc") == [
        Pair("val_loss", "train_loss_epoch", "val_loss"),
        Pair("val/acc", "train/acc", "val/acc"),
    ]
    assert logged(["epoch", "valid.f1"], "valid.f1") == [Pair("valid.f1", "", "valid.f1")]
    lines = curve_figure([{"epoch": 1.0, "score": 2.0}], metric="score", of_module=True).axes[0].lines
    assert next(line.get_label() for line in lines) == "validation"


def test_curves_show_both_splits_the_gap_and_the_restored_epoch():
    figure = curve_figure(HISTORY)
    lowest = min(HISTORY, key=lambda row: row["val/loss"])["epoch"]
    loss, error = figure.axes
    for axes, kind, scale in ((loss, "loss", 1), (error, "error", 100)):
        lines = {line.get_label(): line for line in axes.lines}
        np.testing.assert_allclose(lines["train"].get_ydata(), [scale * row[f"train/{kind}"] for row in HISTORY])
        np.testing.assert_allclose(lines["validation"].get_ydata(), [scale * row[f"val/{kind}"] for row in HISTORY])
        assert lines[f"restored: epoch {lowest:.0f}"].get_xdata()[0] == lowest
        assert axes.collections[0].get_label() == "gap"
        assert axes.get_xlabel() == "epoch"
    assert "%" in error.get_ylabel()
    assert loss.get_yscale() == "log"  # from 2 to 0.01
    assert figure.get_size_inches()[0] * figure.dpi >= 800
    restored = {line.get_label() for line in curve_figure(HISTORY, best_epoch=7).axes[0].lines}
    assert "restored: epoch 7" in restored


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_fit_has_a_picture_too(value, tmp_path):
    broken = dict.fromkeys(HISTORY[0], value) | {"epoch": 1.0}
    curve_figure([HISTORY[0], broken]).savefig(tmp_path / "half.png")
    curve_figure([broken]).savefig(tmp_path / "none.png")


def test_a_study_has_four_pictures_with_short_names_and_log_axes_where_the_search_is_logarithmic(tmp_path):
    plt.switch_backend("svg")
    plt.figure()  # the user's own
    before = (plt.get_fignums(), matplotlib.get_backend(), dict(matplotlib.rcParams))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = study_figures(study_of(bayes, 20), "val/loss")
    assert (plt.get_fignums(), matplotlib.get_backend(), dict(matplotlib.rcParams)) == before
    plt.close("all")
    plt.switch_backend("agg")
    assert set(figures) == {"history", "slice", "contour", "importance"}
    scales = {axes.get_xlabel(): axes.get_xscale() for axes in figures["slice"].axes if axes.get_xlabel()}
    assert scales == {"dropout": "linear", "l2": "log"}
    assert figures["slice"].axes[0].get_yscale() == "log"  # one bad trial must not hide the others
    assert figures["history"].axes[0].get_ylabel() == "val/loss"
    assert {label.get_text() for label in figures["importance"].axes[0].get_yticklabels()} == {"dropout", "l2"}
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert figure.get_size_inches()[0] * figure.dpi >= 800
        assert figure.get_suptitle() == f"bayes: {name}"


def test_trials_keep_their_numbers_when_others_failed():
    points = study_figures(study_of(bayes, 8))["history"].axes[0].collections[0].get_offsets()
    assert [int(x) for x, _ in points] == [0, 1, 2, 4, 5, 6, 7]


def test_names_that_would_be_ambiguous_stay_long():
    def objective(trial):
        return trial.suggest_int("seed", 0, 9) + trial.suggest_int("data.seed", 0, 9)

    labels = {axes.get_xlabel() for axes in study_figures(study_of(objective, 6))["slice"].axes}
    assert {"seed", "data.seed"} <= labels


@pytest.mark.parametrize(
    ("objective", "n_trials", "expected"),
    [
        (bayes, 0, set()),
        (bayes, 1, {"history"}),
        (lambda trial: trial.suggest_float("l2", 0, 1), 8, {"history", "slice"}),
        (
            lambda trial: 1.0 + 0 * trial.suggest_float("l2", 0, 1) + 0 * trial.suggest_float("p", 0, 1),
            8,
            {"history", "slice"},
        ),
        (
            lambda trial: trial.suggest_float("l2", 0, 1) + trial.suggest_categorical("p", [0.5]),
            8,
            {"history", "slice"},
        ),
        (lambda trial: trial.suggest_float("l2", 0, 1) * math.nan, 4, set()),
        (lambda trial: math.inf if trial.number else 1.0 + 0 * trial.suggest_float("l2", 0, 1), 4, {"history"}),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_logged_and_the_others_are_drawn(objective, n_trials, expected, caplog):
    caplog.set_level(logging.DEBUG, "ridgeline.report")
    assert set(study_figures(study_of(objective, n_trials))) == expected
    missing = {"history", "slice", "contour", "importance"} - expected
    assert {record.getMessage().split()[1] for record in caplog.records} == missing


def test_choices_of_any_kind_are_drawn():
    def objective(trial):
        trial.suggest_categorical("network.activation", ["relu", "tanh"])
        trial.suggest_categorical("regularization.dropout", ["[0.1, 0.2]", "0.5"])
        trial.suggest_int("network.width", 16, 256, log=True)
        trial.suggest_categorical("seed", [1, 2, 3])
        return trial.suggest_float("optimizer.lr", 1e-4, 1e-1, log=True)

    figures = study_figures(study_of(objective, 12))
    assert set(figures) == {"history", "slice", "contour", "importance"}
    assert len([axes for axes in figures["contour"].axes if axes.get_label() != "<colorbar>"]) == 9  # three at most


def test_the_figure_that_a_study_was_by_is_measured_on_the_test_split_too() -> None:
    """As scikit-learn has it, a mean over the seeds; a probability of 0 among them."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(0)
    p_SNC = torch.from_numpy(rng.normal(0, 6, (2, 40, 3))).float().softmax(2).numpy()
    p_SNC[0, 0] = [1.0, 0.0, 0.0]
    targets_N = rng.integers(3, size=40)
    expected = np.mean([roc_auc_score(targets_N, p_NC, multi_class="ovr") for p_NC in p_SNC.astype(np.float64)])
    assert _asked(p_SNC, targets_N, "auroc", None) == {"auroc": pytest.approx(expected, abs=1e-5)}
    one_hot_NC = np.eye(3)[targets_N]
    expected = np.mean([average_precision_score(one_hot_NC, p_NC) for p_NC in p_SNC])
    assert _asked(p_SNC, targets_N, "average_precision", None) == {
        "average_precision": pytest.approx(expected, abs=1e-5)
    }
    for told_anyway in ("error", "loss", "r2", ""):
        assert _asked(p_SNC, targets_N, told_anyway, None) == {}
