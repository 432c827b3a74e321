"""scikit-learn's estimators: its own checks, its tools, tables with categories and gaps."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from ridgeline import RegularizedClassifier, RegularizedRegressor
from ridgeline.api.estimator_splits import divided
from ridgeline.api.estimators import _targets

SMALL = ("network.hidden=[16]", "trainer.batch_size=32", "optimizer.lr=0.01", "hydra.launcher.workers=1")
QUICK = {"n_trials": 1, "overrides": (*SMALL, "trainer.max_epochs=20"), "random_state": 0}

NOT_SO = {
    "check_sample_weight_equivalence_on_dense_data": "a row that is there twice may train and validate, and batches are"
    " drawn by row: a weight of 2 means the same as two rows, but not in every digit"
}
"""Checks that do not apply, and why."""


def shop(n: int = 160) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    size, town = draw.normal(3, 2, n), draw.choice(["Aby", "Bex", "Cam"], n)
    frame = pd.DataFrame({"size": size.round(2), "town": pd.Categorical(town)})
    frame["bought"] = np.where(size + 2 * (town == "Bex") > 3, "yes", "no")
    frame.loc[::13, "size"] = np.nan
    return frame


@pytest.mark.parametrize("counts", [(30, 20), (1, 40), (2, 3, 4, 100)])
def test_no_row_is_held_back_and_each_split_has_each_class(counts: tuple[int, ...]) -> None:
    y_N = np.repeat(np.arange(len(counts)), counts)
    rows, splits = divided(y_N, np.random.default_rng(0), of_classes=True)
    assert set(rows) == set(range(len(y_N)))
    assert set(splits) == {"train", "validation"}
    for split in ("train", "validation"):
        assert set(y_N[rows[splits == split]]) == set(range(len(counts)))
    if min(counts) >= 5:  # no row is there twice
        assert len(rows) == len(y_N)


def test_of_numbers_each_split_has_two_that_differ() -> None:
    y_N = np.array([7.0] * 30 + [8.0])
    for seed in range(20):
        rows, splits = divided(y_N, np.random.default_rng(seed), of_classes=False)
        assert set(rows) == set(range(31))
        assert all(len(set(y_N[rows[splits == split]])) == 2 for split in ("train", "validation"))


@pytest.mark.parametrize(
    ("column", "kind"), [(["yes", None, "no", None], object), ([1, None, 0, None], "Int64"), ([1.5, None] * 2, float)]
)
def test_a_missing_target_is_named_in_one_line(column: list[Any], kind: Any) -> None:
    for estimator in (RegularizedClassifier(), RegularizedRegressor()):
        with pytest.raises(ValueError, match=r"^Input y contains NaN: 2 of 4 rows have no target, the first is row 1;"):
            estimator.fit(shop(4)[["size"]], pd.Series(column, dtype=kind))


def test_columns_of_one_name_are_named_in_one_line() -> None:
    twice = shop()[["size", "size"]]
    with pytest.raises(ValueError, match=r"^`each column has a name of its own` must hold, but got columns=size\.$"):
        RegularizedClassifier().fit(twice, shop()["bought"])


def test_targets_of_nullable_types_keep_their_kind() -> None:
    of_truth, of_counts = pd.array([True, False], dtype="boolean"), pd.Series([3, 1], dtype="Int64")
    found = [_targets(RegularizedClassifier(), y) for y in (of_truth, of_counts)]
    assert [one.tolist() for one in found] == [[True, False], [3, 1]]
    assert [one.dtype.kind for one in found] == ["b", "i"]


@pytest.mark.verify
@pytest.mark.parametrize("kind", [RegularizedClassifier, RegularizedRegressor])
def test_estimators_pass_the_checks_of_scikit_learn(kind: Any) -> None:
    found = check_estimator(kind(**QUICK), expected_failed_checks=NOT_SO, on_skip=None)
    failed = {one["check_name"] for one in found if one["status"] == "xfail"}
    assert failed == set(NOT_SO)
    assert sum(one["status"] == "passed" for one in found) > 45


@pytest.mark.verify
def test_a_table_with_categories_and_gaps_goes_through_the_tools_of_scikit_learn() -> None:
    frame = shop()
    x, y = frame.drop(columns="bought"), frame["bought"]
    scores = cross_val_score(RegularizedClassifier(**QUICK), x, y, cv=2)
    assert scores.mean() > 0.8
    search = GridSearchCV(RegularizedClassifier(**QUICK), {"space": [None, {"regularization.l2": [0.0]}]}, cv=2).fit(
        x, y
    )
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.classes_.tolist() == ["no", "yes"]
    new = pd.DataFrame({"size": [np.nan, 9.0], "town": ["Dun", "Bex"]})
    assert search.predict(new)[1] == "yes"
    size = x[["size"]].fillna(0)
    pipeline = make_pipeline(StandardScaler(), RegularizedRegressor(**QUICK)).fit(size, size["size"])
    assert pipeline.score(size, size["size"]) > 0.8


@pytest.mark.verify
def test_a_fitted_estimator_is_pickled_and_a_weight_counts() -> None:
    draw = np.random.default_rng(0)
    x, side = draw.normal(size=(200, 2)), draw.integers(0, 2, 200)
    y = np.where(side == 0, x[:, 0] > 0, x[:, 0] < 0)  # half of the rows contradict the others
    first = RegularizedClassifier(**QUICK).fit(x, y, sample_weight=1e-3 + (side == 0))
    assert ((x[:, 0] > 0) == first.predict(x)).mean() > 0.9
    again = pickle.loads(pickle.dumps(first))
    assert np.array_equal(again.predict_proba(x), first.predict_proba(x))
    assert not hasattr(clone(first), "classes_")
    assert sys.getsizeof(pickle.dumps(first)) < 200_000
