"""The linear model and the multilayer perceptron of scikit-learn, their inputs encoded in the usual way."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from on_tables.splits import Table

if TYPE_CHECKING:
    from on_tables.methods import Clock

SHARE = 0.9
"""Of its time a method that could go on works for so much, and then predicts."""
STRENGTHS = 10.0 ** np.arange(-4, 4)
EPOCHS = 200
"""scikit-learn's own `max_iter`."""


def linear(table: Table, seed: int, clock: Clock) -> np.ndarray:
    """Logistic or ridge regression, its penalty chosen on validation."""
    x, y = encoded(table), {split: table.numbers_of(split) for split in ("train", "validation")}
    end, best, found = clock.end - (1 - SHARE) * clock.left, np.inf, None
    for strength in STRENGTHS[::-1]:
        if found is not None and clock.end - end > clock.left:
            break
        model: Any = Ridge(strength) if table.is_regression else LogisticRegression(C=1 / strength, max_iter=500)
        model.fit(x["train"], y["train"])
        loss = loss_of(table, predict(table, model, x["validation"]), y["validation"])
        if loss < best:
            best, found = loss, predict(table, model, x["test"])
    assert found is not None
    return found


def sklearn_mlp(table: Table, seed: int, clock: Clock) -> np.ndarray:
    """Its defaults, epoch by epoch; the best one on validation counts."""
    x, y = encoded(table), {split: table.numbers_of(split) for split in ("train", "validation")}
    mean, deviation = (y["train"].mean(), y["train"].std()) if table.is_regression else (0.0, 1.0)
    model: Any = MLPRegressor(random_state=seed) if table.is_regression else MLPClassifier(random_state=seed)
    end, best, kept = clock.end - (1 - SHARE) * clock.left, np.inf, None
    for epoch in range(EPOCHS):
        if table.is_regression:
            model.partial_fit(x["train"], (y["train"] - mean) / deviation)
        else:
            model.partial_fit(x["train"], y["train"], classes=np.unique(y["train"]) if epoch == 0 else None)
        loss = loss_of(table, predict(table, model, x["validation"]) * deviation + mean, y["validation"])
        if loss < best:
            best, kept = loss, (copy.deepcopy(model.coefs_), copy.deepcopy(model.intercepts_))
        if clock.end - end > clock.left:
            break
    assert kept is not None
    model.coefs_, model.intercepts_ = kept
    return predict(table, model, x["test"]) * deviation + mean


def encoded(table: Table) -> dict[str, np.ndarray]:
    """Numbers standardized, missing ones their mean with a column that says so; a column for each category."""
    frames = {split: table.features_of(split) for split in ("train", "validation", "test")}
    texts = [name for name in frames["train"] if isinstance(frames["train"][name].dtype, pd.CategoricalDtype)]
    numbers = [name for name in frames["train"] if name not in texts]
    for frame in frames.values():
        frame[texts] = frame[texts].astype(object).where(frame[texts].notna(), "missing")
    onto_scale = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    onto_columns = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder = ColumnTransformer([("numbers", onto_scale, numbers), ("texts", onto_columns, texts)])
    encoder.fit(frames["train"])
    return {split: encoder.transform(frame).astype(np.float32) for split, frame in frames.items()}


def predict(table: Table, model: Any, x: Any) -> np.ndarray:
    """Of classes that do not occur in training the probability is 0."""
    if table.is_regression:
        return np.asarray(model.predict(x), np.float64).reshape(-1)
    found = np.asarray(model.predict_proba(x), np.float64)
    whole = np.zeros((len(found), len(table.classes)))
    whole[:, np.asarray(model.classes_, int)] = found
    return whole


def loss_of(table: Table, predicted: np.ndarray, truth: np.ndarray) -> float:
    """What a method chooses by on validation: log loss, or mean squared error."""
    if table.is_regression:
        return float(np.mean((predicted - truth) ** 2))
    return float(-np.log(np.clip(predicted[np.arange(len(truth)), truth], 1e-6, 1)).mean())
