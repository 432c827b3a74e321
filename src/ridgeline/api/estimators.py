"""scikit-learn's estimators: a study as `fit`, its best network as `predict`.

N rows, C classes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ridgeline.api.asked import Range, listed
from ridgeline.api.estimator_splits import VALIDATION, divided
from ridgeline.api.frames import as_pandas, is_frame
from ridgeline.api.given import as_frame
from ridgeline.api.studies import search
from ridgeline.checking import require
from ridgeline.quoting import setting

if TYPE_CHECKING:
    from ridgeline.stack.fitted import Fitted

_one_at_a_time = threading.RLock()
"""Hydra composes for one study of a process at a time."""


class _Regularized(BaseEstimator):
    """What both estimators share."""

    def __init__(
        self,
        n_trials: int | None = None,
        *,
        network: Any = None,
        space: Mapping[str, Range] | None = None,
        overrides: Sequence[str] = (),
        random_state: Any = None,
        runs: str | os.PathLike[str] | None = None,
    ) -> None:
        self.n_trials = n_trials
        self.network = network
        self.space = space
        self.overrides = overrides
        self.random_state = random_state
        self.runs = runs

    def _fit(self, frame: pd.DataFrame, y_N: np.ndarray, task: str, weight_N: np.ndarray | None) -> Self:
        """Search on these rows; `y_N`: the numbers of classes, or of a regression."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if weight_N is not None:  # what counts for nothing is not there: neither for a split nor for an encoder
            counts_N = weight_N > 0
            frame, y_N, weight_N = frame[counts_N], y_N[counts_N], weight_N[counts_N]
        rows, splits = divided(y_N, np.random.default_rng(seed), of_classes=task == "classification")
        target, split, weight = _free_names(frame)
        table = frame.iloc[rows].assign(**{target: y_N[rows], split: splits})
        given = [f"task={task}", setting("data.split_column", split), setting("seed", seed % 2**16)]
        given += [setting("data.train", 1 - VALIDATION), setting("data.validation", VALIDATION)]  # and none to test
        given += [setting("search.seed", seed % 2**16), "tracking.keep_weights=1"]
        if weight_N is not None:
            table[weight] = weight_N[rows]
            given.append(setting("data.weight", weight))
        if self.runs is None:
            given.append("tracking.pictures=false")
        runs = self.runs if self.runs is not None else _temporary_runs()
        with _one_at_a_time, _silent():
            study = search(
                table.reset_index(drop=True),
                target,
                network=self.network,
                space=self.space,
                n_trials=self.n_trials,
                overrides=["trainer.enable_progress_bar=false", *given, *listed(self.overrides)],
                runs=runs,
            )
            best = study.best
            self.fitted_: Fitted = study.best_fitted()
        self.study_name_, self.best_params_, self.best_value_ = study.name, best.params, best.value
        return self

    def _rows(self, x: Any) -> pd.DataFrame:
        check_is_fitted(self)
        return self._checked(x, reset=False)

    def _checked(self, x: Any, *, reset: bool) -> pd.DataFrame:
        """A frame as it is, since an encoder knows what to do with categories and missing values; anything else as an
        array of numbers."""
        if is_frame(x):
            frame = as_pandas(x)
            validate_data(self, x, reset=reset, skip_check_array=True)
            require(len(x) > 0 and len(x.columns) > 0, "X has rows and columns", "X", f"shape {tuple(x.shape)}")
            return frame
        x_NI = validate_data(self, x, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
        return as_frame(x_NI)

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        if "fitted_" in state:  # without the network that was built for predicting
            state["fitted_"] = replace(state["fitted_"])
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


class RegularizedClassifier(ClassifierMixin, _Regularized):
    """A network with as much regularization as these data need: `fit` is a study of `n_trials`.

    `n_trials`, `network`, `space` and `overrides` are those of `ridgeline.search`: without `network` and `space` the
    study of 500 rows or more is by the recipe for tables. A fifth of the rows validates: it chooses the trial, and the
    epoch whose weights stay. No row is held back to test, so that the study cannot be confirmed. `runs`: the folder
    that it is recorded in; without it a temporary one, which goes with the process. `random_state` decides the split,
    the draws and the initialization.

    After `fit`: `classes_`, `best_params_`, `best_value_`, `study_name_`, `n_features_in_`, `feature_names_in_`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        frame = self._checked(X, reset=True)
        y = _targets(self, y)
        check_classification_targets(y)
        y_N = column_or_1d(y, warn=True)
        check_consistent_length(frame, y_N)
        weight_N = _weights(sample_weight, frame)
        counted_N = y_N if weight_N is None else y_N[weight_N > 0]
        n_classes = len(np.unique(counted_N))
        if n_classes < 2:
            raise ValueError(f"A classifier needs examples of two classes or more, but got {n_classes} class.")
        self.classes_, numbers_N = np.unique(y_N, return_inverse=True)
        return self._fit(frame, numbers_N, "classification", weight_N)

    def predict(self, X: Any) -> np.ndarray:
        """(N,) The class of each row."""
        probabilities_NC = self.predict_proba(X)
        found: np.ndarray = self.classes_[probabilities_NC.argmax(axis=1)]
        return found

    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, C) The probability of each of `classes_`; 0 of one that has no row with a weight."""
        frame = self._rows(X)
        found_NC = self.fitted_.predict(frame).astype(np.float64)
        whole_NC = np.zeros((len(frame), len(self.classes_)))
        whole_NC[:, [int(name) for name in self.fitted_.class_names]] = found_NC / found_NC.sum(axis=1, keepdims=True)
        return whole_NC


class RegularizedRegressor(RegressorMixin, _Regularized):
    """The same for a target that is a number: see `RegularizedClassifier`."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        frame = self._checked(X, reset=True)
        y = _targets(self, y)
        y_N = column_or_1d(y, warn=True).astype(np.float64)
        assert_all_finite(y_N, input_name="y")
        check_consistent_length(frame, y_N)
        weight_N = _weights(sample_weight, frame)
        counted_N = y_N if weight_N is None else y_N[weight_N > 0]
        if len(np.unique(counted_N)) < 2:
            raise ValueError(f"A regressor needs two different targets or more, but got n_samples={len(counted_N)}.")
        return self._fit(frame, y_N, "regression", weight_N)

    def predict(self, X: Any) -> np.ndarray:
        """(N,) The target of each row, in its own unit."""
        frame = self._rows(X)
        return self.fitted_.predict(frame)


def _free_names(frame: pd.DataFrame) -> list[str]:
    """Names of target, split and weight that no column has."""
    names = []
    for name in ("target", "split", "weight"):
        while name in frame.columns:
            name += "_"
        names.append(name)
    return names


def _targets(estimator: BaseEstimator, y: Any) -> Any:
    """None of them missing; those of pandas' nullable types are truth values and whole numbers, as NumPy has them."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    missing_N = np.ravel(pd.isna(np.asarray(y)))
    if missing_N.any():
        where = f"{missing_N.sum()} of {len(missing_N)} rows have no target, the first is row {missing_N.argmax()}"
        raise ValueError(f"Input y contains NaN: {where}; leave them out.")
    kind = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    return y if kind is None else np.asarray(y, dtype=kind)


def _weights(sample_weight: Any, frame: pd.DataFrame) -> np.ndarray | None:
    if sample_weight is None:
        return None
    weight_N: np.ndarray = _check_sample_weight(sample_weight, frame, ensure_non_negative=True)
    return weight_N


def _temporary_runs() -> Path:
    """One runs folder for all studies of this process, for a new store takes a second."""
    return _made(os.getpid())


@functools.cache
def _made(process: int) -> Path:
    folder = tempfile.mkdtemp(prefix="ridgeline-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """An estimator says nothing: what a study prints is about commands."""
    ours = logging.getLogger("ridgeline")
    before = ours.level
    ours.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        ours.setLevel(before)
