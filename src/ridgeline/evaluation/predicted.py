"""What networks predict for examples that they did not learn from: for the page's confusion matrices and reliability.

Of a confirmed study these are the test examples, before that the validation examples as the best trial predicts them.
S fits, N examples, C classes, B bins of confidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from safetensors.torch import load_file
from scipy import stats

from ridgeline.checking import ConfigError
from ridgeline.config import Config
from ridgeline.data import load_splits
from ridgeline.evaluation.arms import predictions_of, targets_of
from ridgeline.evaluation.compared import NOT_KEPT, kept_of_best
from ridgeline.evaluation.confirm_folder import read_predictions
from ridgeline.evaluation.statistics import EACH, LEVEL, Sample
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.report.facts import Confirmed, Predicted, PredictedNumbers
from ridgeline.report.notation import counted
from ridgeline.search.records import WEIGHTS
from ridgeline.stack.prediction import logits_KNC
from ridgeline.tasks.losses import Task

BINS = 15
"""Of confidence, as the calibration error counts them."""


def predicted(
    stored: StoredStudy, confirmed: Confirmed | None, missing: dict[str, str]
) -> Predicted | PredictedNumbers | None:
    """The predictions of a study; None, with a sentence in `missing`, where there are none."""
    try:
        if confirmed is None:
            return _of_best_trial(stored, missing)
        if confirmed.record.get("by_seeds"):
            missing["predictions"] = "What the module gives is no prediction of an example."
            return None
        targets_N, by_network, groups_N = read_predictions(stored.folder)
    except (ConfigError, OSError) as error:
        missing["predictions"] = f"What the networks predict could not be read: {error}"
        return None
    seeds = counted(len(by_network["best"]), "seed")
    where = f"the {counted(len(targets_N), 'test example')}, over {seeds}"
    task = confirmed.record["task"]
    return _described(stored.config, task, where, targets_N, by_network, confirmed.class_names, groups_N)


def _described(
    config: Config,
    task: Task,
    where: str,
    targets_N: np.ndarray,
    by_network: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    groups_N: np.ndarray | None = None,
) -> Predicted | PredictedNumbers:
    if task == "classification":
        in_groups = getattr(config.data, "group_on", None) is not None
        sample = None if in_groups and groups_N is None else Sample(groups_N)
        return describe(where, targets_N, by_network, class_names, sample)
    means = {name: predicted_SN1.mean(axis=0)[:, 0] for name, predicted_SN1 in by_network.items()}
    return PredictedNumbers(where, targets_N, means)


def _of_best_trial(stored: StoredStudy, missing: dict[str, str]) -> Predicted | PredictedNumbers | None:
    best = kept_of_best(stored)
    if best is None:
        missing["predictions"] = NOT_KEPT
        return None
    config = stored.config_of(best.number)
    if config.model is not None:
        missing["predictions"] = "What a module of one's own predicts is shown once it is confirmed."
        return None
    if config.data.folds is not None or config.data.fit_on != "train":
        missing["predictions"] = "Its networks have no validation split in common: confirming shows what they predict."
        return None
    splits = load_splits(config.data)
    validation = splits.validation
    outputs_1NC = logits_KNC(config, [load_file(stored.job(best.number) / WEIGHTS)], validation.x_NI)
    predictions_1NC, targets_N = predictions_of(config, outputs_1NC), targets_of(config, validation)
    n = counted(len(validation.y_N), "validation example")
    where = f"the {n}, by trial {best.number}; those chose it, so that it looks better on them than on new ones"
    return _described(
        config, config.predicted, where, targets_N, {"best": predictions_1NC}, splits.description.class_names
    )


def describe(
    where: str,
    labels_N: np.ndarray,
    by_network: Mapping[str, np.ndarray],
    class_names: Sequence[str] = (),
    sample: Sample | None = EACH,
) -> Predicted:
    """`by_network`: probabilities (S, N, C). `class_names`: none where they are called by their numbers. `sample`:
    which examples were drawn together; None: some were, and it is not known which."""
    n_classes = next(iter(by_network.values())).shape[2]
    confusion = {name: _confusion_CC(p_SNC, labels_N) for name, p_SNC in by_network.items()}
    count_C = np.array([_count(labels_N == c, sample) for c in range(n_classes)])
    return Predicted(
        where=where,
        classes=list(class_names) or [str(c) for c in range(n_classes)],
        confusion_CC=confusion,
        error_C3={name: _error_C3(1 - np.diag(own), count_C) for name, own in confusion.items()},
        bins_B3={name: _bins_B3(p_SNC, labels_N) for name, p_SNC in by_network.items()},
        by=None if sample is None else "examples" if sample.groups_N is None else "groups of examples",
    )


def _count(is_own_N: np.ndarray, sample: Sample | None) -> float:
    """As how many independent ones the examples of a class count: at most as many as there are groups, as if what is
    in a group were all right or all wrong together. NaN: not known, and with it no interval."""
    if sample is None or not is_own_N.any():
        return math.nan if sample is None else 0
    groups_N = None if sample.groups_N is None else sample.groups_N[is_own_N]
    return Sample(groups_N).count(int(is_own_N.sum()))


def _confusion_CC(p_SNC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    n_fits, _, n_classes = p_SNC.shape
    cells = n_classes * np.tile(labels_N, n_fits) + p_SNC.argmax(axis=2).ravel()
    counts_CC = np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)
    totals_C1 = counts_CC.sum(axis=1, keepdims=True)
    return np.where(totals_C1 > 0, counts_CC / np.maximum(totals_C1, 1), np.nan)


def _error_C3(error_C: np.ndarray, count_C: np.ndarray) -> np.ndarray:
    """With the interval of a share of so many examples (Clopper, Pearson 1934), as if a mean over fits were of one."""
    wrong_C, tail = error_C * count_C, (1 - LEVEL) / 2
    with np.errstate(invalid="ignore"):
        low_C = np.where(wrong_C != 0, stats.beta.ppf(tail, wrong_C, count_C - wrong_C + 1), 0.0)
        high_C = np.where(wrong_C != count_C, stats.beta.ppf(1 - tail, wrong_C + 1, count_C - wrong_C), 1.0)
    return np.where(count_C[:, None] != 0, np.stack([error_C, low_C, high_C], 1), np.nan)


def _bins_B3(p_SNC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    confidence_M = p_SNC.max(axis=2).ravel()
    is_right_M = (p_SNC.argmax(axis=2) == labels_N).ravel()
    bin_M = np.minimum((confidence_M * BINS).astype(int), BINS - 1)
    count_B = np.bincount(bin_M, minlength=BINS)
    sums = [np.bincount(bin_M, weights=values, minlength=BINS) for values in (confidence_M, is_right_M)]
    means = [np.where(count_B > 0, total / np.maximum(count_B, 1), np.nan) for total in sums]
    return np.stack([*means, count_B], 1)
