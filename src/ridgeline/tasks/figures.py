"""Figures: how well a task is done, for people to read, to rank by, to stop by. `val/error` is the error of the
validation split.

A new figure is one line in `FIGURES`. torch is imported inside of functions.

K fits, B batch, N examples, C classes. Outputs are (K, B, C) in classification and (K, B, 1) in regression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.checking import ConfigError, require
from ridgeline.tasks.losses import Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Figure:
    """A figure is a mean over examples, or else it is computed of all examples together.

    `each`: (K, B) of outputs and targets, and `finish` makes the figure of their mean. `whole`: (K,) of all outputs and
    targets, and of the examples' weights, None where all count alike. `has_unit`: it is a length in the standardized
    targets, and becomes one in the target's own unit. `takes_weights`: there is such a figure of examples with weights.
    """

    name: str
    task: Task
    each: Callable[[Tensor, Tensor], Tensor] | None = None
    whole: Callable[[Tensor, Tensor, Tensor | None], Tensor] | None = None
    finish: Callable[[Tensor], Tensor] = lambda mean_K: mean_K
    larger_is_better: bool = False
    has_unit: bool = False
    takes_weights: bool = True


def wrong_KB(outputs_KBC: Tensor, targets_KB: Tensor) -> Tensor:
    """1 where the largest output is not the target's, 0 where it is."""
    return (outputs_KBC.argmax(dim=2) != targets_KB).to(outputs_KBC.dtype)


def _balanced_error_K(outputs_KNC: Tensor, targets_KN: Tensor, weights_KN: Tensor | None) -> Tensor:
    """The mean over the classes of the share of their examples that are taken for another."""
    wrongs_KN = wrong_KB(outputs_KNC, targets_KN)
    each_KN = wrongs_KN.new_ones(wrongs_KN.shape) if weights_KN is None else weights_KN.to(wrongs_KN.dtype)
    sums_KC = wrongs_KN.new_zeros(outputs_KNC.shape[::2]).scatter_add(1, targets_KN, wrongs_KN * each_KN)
    counts_KC = sums_KC.new_zeros(sums_KC.shape).scatter_add(1, targets_KN, each_KN)
    return (sums_KC / counts_KC).nanmean(dim=1)  # a class without an example has no share


def _auroc(outputs_NC: Tensor, targets_N: Tensor, weights_N: Tensor | None) -> Tensor | float:
    """The mean over the classes of the area under the curve of each against all others."""
    if weights_N is not None:
        from sklearn.metrics import roc_auc_score

        return _over_classes(roc_auc_score, outputs_NC, targets_N, weights_N, 0.0)  # as torchmetrics
    from torchmetrics.functional.classification import multiclass_auroc

    return multiclass_auroc(outputs_NC.softmax(1), targets_N, outputs_NC.shape[1], validate_args=False)


def _average_precision(outputs_NC: Tensor, targets_N: Tensor, weights_N: Tensor | None) -> Tensor | float:
    """The mean over the classes of the area under precision by recall."""
    if weights_N is not None:
        from sklearn.metrics import average_precision_score

        return _over_classes(average_precision_score, outputs_NC, targets_N, weights_N, float("nan"))
    from torchmetrics.functional.classification import multiclass_average_precision

    return multiclass_average_precision(outputs_NC.softmax(1), targets_N, outputs_NC.shape[1], validate_args=False)


def _over_classes(
    score: Callable[..., float], outputs_NC: Tensor, targets_N: Tensor, weights_N: Tensor, lacking: float
) -> float:
    """The mean of scikit-learn's figure of two classes, of each class against all others. `lacking`: where one of both
    has no weight; NaN does not count."""
    import numpy as np

    p_NC, targets, weights = outputs_NC.softmax(1).cpu().numpy(), targets_N.cpu().numpy(), weights_N.cpu().numpy()
    found = []
    for c in range(p_NC.shape[1]):
        own, others = weights[targets == c].sum(), weights[targets != c].sum()
        able = own > 0 and others > 0
        found.append(score(targets == c, p_NC[:, c], sample_weight=weights) if able else lacking)
    return float(np.nanmean(found))


def _f1(outputs_NC: Tensor, targets_N: Tensor, weights_N: Tensor | None) -> Tensor | float:
    """The mean over the classes of the harmonic mean of precision and recall."""
    if weights_N is not None:
        from sklearn.metrics import f1_score

        counts = weights_N > 0
        predicted, targets = (own_N[counts].cpu().numpy() for own_N in (outputs_NC.argmax(1), targets_N))
        return float(f1_score(targets, predicted, average="macro", sample_weight=weights_N[counts].cpu().numpy()))
    from torchmetrics.functional.classification import multiclass_f1_score

    return multiclass_f1_score(outputs_NC, targets_N, outputs_NC.shape[1], average="macro", validate_args=False)


def _spearman(outputs_N1: Tensor, targets_N: Tensor, weights_N: Tensor | None) -> Tensor:
    """The correlation of ranks; 0 where all outputs are alike."""
    from torchmetrics.functional.regression import spearman_corrcoef

    assert weights_N is None
    return spearman_corrcoef(outputs_N1.squeeze(1), targets_N).nan_to_num(0.0)


def _r2_K(outputs_KN1: Tensor, targets_KN: Tensor, weights_KN: Tensor | None) -> Tensor:
    """1 - squared error / squared distance of the targets from their mean: 0 is as good as the mean, 1 is perfect."""
    squared_KN = (outputs_KN1.squeeze(2) - targets_KN).square()
    if weights_KN is None:
        return 1 - squared_KN.sum(dim=1) / (targets_KN - targets_KN.mean(dim=1, keepdim=True)).square().sum(dim=1)
    mean_K1 = (weights_KN * targets_KN).sum(dim=1, keepdim=True) / weights_KN.sum(dim=1, keepdim=True)
    return 1 - (weights_KN * squared_KN).sum(dim=1) / (weights_KN * (targets_KN - mean_K1).square()).sum(dim=1)


def _fit_by_fit(
    figure: Callable[[Tensor, Tensor, Tensor | None], Tensor | float],
) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """A figure of one fit as one of K; NaN for a fit whose outputs are not finite."""

    def figure_K(outputs_KNO: Tensor, targets_KN: Tensor, weights_KN: Tensor | None) -> Tensor:
        import torch

        weights = [None] * len(outputs_KNO) if weights_KN is None else list(weights_KN)
        found = [
            figure(*fit) if fit[0].isfinite().all() else torch.nan
            for fit in zip(outputs_KNO, targets_KN, weights, strict=True)
        ]
        return torch.stack([torch.as_tensor(own, dtype=outputs_KNO.dtype, device=outputs_KNO.device) for own in found])

    return figure_K


FIGURES = {
    figure.name: figure
    for figure in (
        Figure("error", "classification", each=wrong_KB),
        Figure("balanced_error", "classification", whole=_balanced_error_K),
        Figure("auroc", "classification", whole=_fit_by_fit(_auroc), larger_is_better=True),
        Figure("average_precision", "classification", whole=_fit_by_fit(_average_precision), larger_is_better=True),
        Figure("f1", "classification", whole=_fit_by_fit(_f1), larger_is_better=True),
        Figure(
            "rmse",
            "regression",
            each=lambda outputs_KB1, targets_KB: (outputs_KB1.squeeze(2) - targets_KB).square(),
            finish=lambda mean_K: mean_K.sqrt(),
            has_unit=True,
        ),
        Figure(
            "mae",
            "regression",
            each=lambda outputs_KB1, targets_KB: (outputs_KB1.squeeze(2) - targets_KB).abs(),
            has_unit=True,
        ),
        Figure("r2", "regression", whole=_r2_K, larger_is_better=True),
        Figure("spearman", "regression", whole=_fit_by_fit(_spearman), larger_is_better=True, takes_weights=False),
    )
}

TITLES = {"rmse": "RMSE", "mae": "MAE", "r2": "R2", "auroc": "AUROC", "f1": "F1"}
"""What people call figures whose name is an abbreviation."""


def title(name: str) -> str:
    """What a figure is called in a text."""
    return TITLES.get(name, name.replace("_", " "))


BESIDE = {"ece": "calibration error (ECE)", **{name: title(name) for name, own in FIGURES.items() if own.whole}}
"""What may be told of predictions beside the figure that a verdict is about: what is no mean over examples."""


def of_examples(metric: str, task: Task, loss: str) -> str:
    """The figure that is a mean over examples and nearest to what is optimized: a verdict needs one.

    The error in classification. In regression RMSE, or MAE where the metric is that or a loss of absolute errors.
    """
    name = metric.partition("/")[2]
    if task == "classification":
        return "error"
    return "mae" if name == "mae" or (name == "loss" and loss == "mae") else "rmse"


SHOWN: dict[Task, tuple[str, ...]] = {"classification": ("error",), "regression": ("rmse", "mae", "r2")}
"""What is always measured on validation data. The first is the task's main figure: it is measured on each batch of
training too."""

SPLITS = ("train", "val")


def shown(metric: str, value: float) -> str:
    """A metric's value for people: the share of examples in per cent, a length in the targets' unit with six digits.

    So is any number that has more than those before its point, or nothing but zeros in the first four after it."""
    name = metric.split("/")[-1]
    if name in ("error", "balanced_error"):
        return f"{value:.2%}"
    has_unit = name in FIGURES and FIGURES[name].has_unit
    is_far = abs(value) >= 1e6 or 0 < abs(value) < 5e-5
    return f"{value:.6g}" if has_unit or is_far else f"{value:.4f}"


def larger_is_better(metric: str) -> bool:
    """Whether a metric, `val/auroc` for example, is the better the larger it is. The loss is not."""
    name = metric.split("/")[-1]
    return name in FIGURES and FIGURES[name].larger_is_better


def is_known(metric: str) -> bool:
    """Whether a metric is one that Ridgeline measures: the loss or a figure of training or validation."""
    split, _, name = metric.partition("/")
    return split in SPLITS and (name == "loss" or name in FIGURES)


def check_metric(metric: str, task: Task, key: str, *, has_weights: bool = False) -> None:
    """Raise ConfigError unless the metric is the loss or a figure of this task, of training or validation, and one of
    examples with weights where these have some."""
    split, _, name = metric.partition("/")
    known = ["loss", *(figure.name for figure in FIGURES.values() if figure.task == task)]
    if split in SPLITS and name in FIGURES and name not in known:
        other = FIGURES[name].task
        raise ConfigError(f"`task == {other}` must hold with {key}={metric}, but got task={task}.")
    rule = f"{key} in {{{', '.join(f'{s}/{n}' for s in SPLITS for n in known)}}}"
    require(split in SPLITS and name in known, rule, key, metric)
    able = not has_weights or name == "loss" or FIGURES[name].takes_weights
    require(able, f"{key} is not of {name}, which knows no weights, with data.weight", key, metric)


def measured(split: str, task: Task, metrics: Iterable[str]) -> tuple[str, ...]:
    """The figures to measure on a split: those that are always shown, and what these metrics ask for."""
    shown = SHOWN[task] if split == "val" else SHOWN[task][:1]
    asked = [name for s, name in (metric.split("/") for metric in metrics) if s == split and name != "loss"]
    return tuple(dict.fromkeys([*shown, *asked]))
