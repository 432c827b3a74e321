"""K-fold cross-validation: folds are fair and apart, and a trial is the mean of as many fits as it would be alone."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file

from ridgeline.config import Config, ConfigError, ConfirmConfig, DataConfig
from ridgeline.data import Split, Splits, load_splits
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.rows import split_rows
from ridgeline.data.sources import read_source
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.stored import open_study
from ridgeline.search.endings import StudyStopped
from ridgeline.search.sources import OpenTrials
from ridgeline.stack.fitting import fit
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.sizing import fitting_stack_size
from ridgeline.stack.source import Fit
from ridgeline.trial.requirements import check
from ridgeline_recipes.by_hand import limits
from settings import small
from sweeping import Studies, results, table
from test_stacked_study import train

DIGITS = DataConfig("digits", folds=5)
EVERY = [
    DIGITS,
    DataConfig("wine", folds=4),
    DataConfig("breast_cancer", folds=3, seed=7),
    DataConfig("moons", folds=5, examples=203, noise=0.3),
    DataConfig("digits", folds=3, examples=400),
    DataConfig("digits", folds=3, split="first"),
]
ALL = pytest.mark.parametrize("config", EVERY, ids=lambda c: f"{c.name}-{c.folds}-{c.split}-{c.examples}")


def without_folds(config: DataConfig) -> DataConfig:
    return replace(config, folds=None)


def alone(splits: Splits, f: int) -> Splits:
    """The split of one fold, as if there were no others."""

    def own(split: Split) -> Split:
        first = f * split.n
        rows = slice(first, first + split.sizes[f])
        return Split(split.x_NI[rows].clone(), split.y_N[rows].clone())

    return replace(splits, train=own(splits.train), validation=own(splits.validation), scalers=(splits.scalers[f],))


def folded(**overrides: Any) -> Config:
    """A trial whose folds end at different epochs."""
    own = {"data__folds": 5, "regularization__dropout": 0.2, "optimizer__lr": 0.02, "trainer__max_epochs": 12}
    return small(**{**own, "callbacks__early_stopping__patience": 1, **overrides})


@ALL
def test_every_example_of_the_pool_validates_exactly_once(config: DataConfig) -> None:
    source = read_source(config)
    unfolded = split_rows(source, without_folds(config))
    pool = np.sort(np.concatenate([unfolded.train, unfolded.validation]))
    folds = fold_rows(source, config)
    assert len(folds) == config.folds
    assert np.array_equal(np.sort(np.concatenate([rows.validation for rows in folds])), pool)
    for rows in folds:
        assert len(np.intersect1d(rows.train, rows.validation)) == 0
        assert len(np.setdiff1d(rows.train, pool)) == 0
        assert 0 <= len(pool) - len(rows.train) - len(rows.validation) <= 1
    assert len({len(rows.train) for rows in folds}) == 1


@ALL
def test_test_split_is_the_same_as_without_folds(config: DataConfig) -> None:
    source = read_source(config)
    for rows in fold_rows(source, config):
        assert np.array_equal(rows.test, split_rows(source, without_folds(config)).test)


def test_folds_keep_the_class_shares_and_follow_the_seed() -> None:
    source = read_source(DIGITS)
    shares = np.bincount(source.y_N) / len(source.y_N)
    folds = fold_rows(source, DIGITS)
    for rows in folds:
        for split in (rows.train, rows.validation):
            assert np.bincount(source.y_N[split]) == pytest.approx(shares * len(split), abs=2.5)
    assert all(np.array_equal(a.train, b.train) for a, b in zip(folds, fold_rows(source, DIGITS), strict=True))
    other = fold_rows(source, replace(DIGITS, seed=1))
    assert not any(np.array_equal(a.validation, b.validation) for a, b in zip(folds, other, strict=True))


@pytest.mark.parametrize("standardize", ["none", "feature", "all", "zca"])
def test_each_fold_is_scaled_by_its_own_train_split(standardize: Any) -> None:
    config = DataConfig("wine", folds=4, standardize=standardize, zca_epsilon=1e-6)
    source, splits = read_source(config), load_splits(config)
    for f, rows in enumerate(fold_rows(source, config)):
        own = alone(splits, f)
        raw_NI = source.x_NI[rows.train].astype(np.float64)
        if standardize == "feature":
            expected = (raw_NI - raw_NI.mean(0)) / raw_NI.std(0)
        elif standardize == "all":
            expected = (raw_NI - raw_NI.mean()) / raw_NI.std()
        elif standardize == "none":
            expected = raw_NI
        else:
            expected = own.scaler.apply(source.x_NI[rows.train])
            assert np.cov(expected.T) == pytest.approx(np.eye(13), abs=0.05)
        np.testing.assert_allclose(own.train.x_NI.numpy(), expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(own.validation.x_NI, own.scaler.apply(source.x_NI[rows.validation]))
        np.testing.assert_array_equal(own.train.y_N, source.y_N[rows.train])
        np.testing.assert_array_equal(own.validation.y_N, source.y_N[rows.validation])


def test_without_folds_data_are_as_before_and_with_folds_they_have_another_name(tmp_path: Path) -> None:
    assert load_splits(replace(DIGITS, folds=None)).description == load_splits(DataConfig("digits")).description
    plans = Studies(tmp_path, tmp_path / "mlflow.db")
    plan = plans.plan("seed=1,2", "data.folds=null")
    assert plan.definition["data"] == plans.plan("seed=1,2").definition["data"]
    with_folds = plans.plan("seed=1,2", "data.folds=5")
    assert with_folds.definition["config"]["data.folds"] == 5
    assert with_folds.definition["data"] != plan.definition["data"]


OTHERS: list[dict[str, Any]] = [
    {},
    {"data__name": "wine", "data__folds": 4, "trainer__restore_best": False, "metric": "val/error"},
    {"data__standardize": "all", "augmentation__rotate": 10.0, "augmentation__brightness": 0.3, "data__examples": 402},
    {"callbacks__diagnostics__examples": 64, "trainer__batch_size": None, "regularization__weight_average": 0.9},
]


@pytest.mark.parametrize("overrides", OTHERS, ids=["digits", "wine", "augmented", "diagnosed"])
def test_trial_is_the_mean_of_fits_trained_alone(overrides: dict[str, Any]) -> None:
    config = folded(**overrides)
    splits = load_splits(config.data)
    (trial,) = fit([config], splits)
    unfolded = replace(config, data=without_folds(config.data))
    fits = [fit([unfolded], alone(splits, f))[0] for f in range(splits.folds)]
    for f, own in enumerate(fits):
        assert all(torch.equal(trial.weights[f"fold/{f}/{name}"], w) for name, w in own.weights.items())
        for name in ("train_loss", "train_error", "val_loss", "val_error"):  # losses are summed in another order
            assert trial.metrics[f"fold/{f}/{name}"] == pytest.approx(own.metrics[f"final/{name}"], rel=1e-5, abs=1e-7)
        assert trial.metrics[f"fold/{f}/best_epoch"] == own.best_epoch
    values = [own.value for own in fits]
    assert trial.value == pytest.approx(statistics.fmean(values), rel=1e-5)
    assert trial.metrics["final/metric_se"] == pytest.approx(
        statistics.stdev(values) / math.sqrt(len(values)), rel=1e-4
    )
    for name in fits[0].metrics:
        assert trial.metrics[name] == pytest.approx(statistics.fmean(own.metrics[name] for own in fits), rel=1e-4)
    assert trial.best_epoch == statistics.median_low(own.best_epoch for own in fits)
    assert trial.epochs == max(own.epochs for own in fits)
    for epoch, row in enumerate(trial.history):  # a fold that has stopped counts with its last epoch
        rows = [own.history[min(epoch, own.epochs - 1)] for own in fits]
        assert row["epoch"] == epoch + 1
        assert row.keys() == rows[0].keys()
        for name in row.keys() - {"epoch"}:
            assert row[name] == pytest.approx(statistics.fmean(r[name] for r in rows), rel=1e-4, abs=1e-6)


def test_folds_of_a_trial_end_at_epochs_of_their_own() -> None:
    config = folded()
    (trial,) = fit([config], load_splits(config.data))
    assert len({trial.metrics[f"fold/{f}/best_epoch"] for f in range(5)}) > 1


def test_trial_with_folds_ends_bitwise_the_same_alone_and_stacked() -> None:
    configs = [folded(seed=seed, regularization__dropout=0.1 * seed) for seed in range(3)]
    splits, told = load_splits(configs[0].data), list[tuple[int, Row]]()
    stacked = fit(configs, splits, listener=lambda trial, row: told.append((trial, row)))
    for place, (config, one) in enumerate(zip(configs, stacked, strict=True)):
        (other,) = fit([config], splits)
        assert same(one, other)
        assert [row for trial, row in told if trial == place] == one.history


def same(one: FitResult, other: FitResult) -> bool:
    alike = (one.value, one.history, one.metrics, one.end) == (other.value, other.history, other.metrics, other.end)
    return alike and all(torch.equal(w, other.weights[name]) for name, w in one.weights.items())


def test_training_with_folds_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    config = folded(data__folds=3, trainer__checkpoint_interval=0, trainer__max_epochs=5)
    splits = load_splits(config.data)
    (whole,) = fit([config], splits)
    fit([replace(config, trainer=replace(config.trainer, max_epochs=2))], splits, job_dir=tmp_path)
    checkpoint = str(tmp_path / "last.ckpt")
    on = replace(config, trainer=replace(config.trainer, ckpt_path=checkpoint))
    (gone_on,) = fit([on], splits)
    assert same(whole, gone_on)
    with pytest.raises(ConfigError, match=r"`data.folds is 3 as in the checkpoint` must hold, but got data.folds=4"):
        check(replace(on, data=replace(on.data, folds=4)))


def test_failed_fold_fails_the_trial_at_once_and_leaves_neighbours_unchanged() -> None:
    config = folded(data__folds=3)
    splits = load_splits(config.data)
    healthy = fit([config, replace(config, seed=1)], splits)
    x_NI = splits.train.x_NI.clone()
    x_NI[2 * splits.train.n :] = math.inf  # the last fold's
    poisoned = fit([config, replace(config, seed=1)], replace(splits, train=replace(splits.train, x_NI=x_NI)))
    for one in poisoned:
        assert one.failure == "in fold 2, train/loss became nan in epoch 1"
        assert (one.end, one.epochs, one.metrics) == ("diverged", 1, {})
        assert math.isnan(one.value)
    lr = replace(config, optimizer=replace(config.optimizer, lr=1e38))
    first, failed, last = fit([config, lr, replace(config, seed=1)], splits)
    assert failed.failure is not None
    assert failed.epochs == 1
    assert same(first, healthy[0])
    assert same(last, healthy[1])


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ({"folds": 0}, "`data.folds >= 2 (or null)` must hold, but got data.folds=0."),
        ({"folds": -3}, "`data.folds >= 2 (or null)` must hold, but got data.folds=-3."),
        ({"folds": 2.5}, "`data.folds is an integer` must hold, but got data.folds=2.5."),
        ({"folds": "many"}, "`data.folds is an integer` must hold, but got data.folds=many."),
        ({"name": "wine", "folds": 39}, "`data.folds <= 38, as many as train and validate of the rarest class,` must"),
        ({"name": "wine", "folds": 3, "split": "first", "train": 0.7, "validation": 0.29}, "holds all 3 classes` must"),
    ],
)
def test_bad_folds_are_refused_in_one_line(overrides: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_splits(small(**{f"data__{name}": value for name, value in overrides.items()}).data)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def test_folds_are_refused_where_nothing_may_be_chosen_and_by_hand() -> None:
    both: dict[str, Any] = {"data__fit_on": "train_validation", "metric": "train/loss", "trainer__restore_best": False}
    with pytest.raises(ConfigError, match=r"`data.folds is null with data.fit_on=train_validation` must hold"):
        small(**both, data__folds=2)
    moons = small(data__name="moons", data__examples=200, data__noise=0.1, data__folds=2)
    with pytest.raises(ConfigError, match=r"`data.folds is null` must hold, but got data.folds=2"):
        limits.check(moons)


def test_stack_holds_about_as_many_fits_as_without_folds() -> None:
    size = fitting_stack_size(small(), 1)
    assert fitting_stack_size(small(data__folds=5), 1) == max(1, size // 5)


SMALL = ("data=wine", "data.folds=3", "network.hidden=[8]", "trainer.max_epochs=6", "optimizer.lr=0.05")
SMALL += ("callbacks.early_stopping.patience=1",)
SLOTS = ("hydra.launcher.workers=1", "hydra.launcher.stack_size=2")
BAYES = (*SMALL, *SLOTS, "search=bayes", "search.n_trials=9", "search.n_startup_trials=3")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.mark.verify
def test_study_with_folds_ends_as_one_by_one_and_tells_mlflow(tmp_path: Path, store: Path) -> None:
    grid = (*SMALL, "optimizer.lr=0.05,1e38", "seed=1,2", "tracking.keep_weights=1")
    stacked = Studies(tmp_path / "stacked", store).run(*grid, *SLOTS, task=train)
    single = Studies(tmp_path / "single", store).run(*grid, "hydra/launcher=basic", task=train)
    assert results(stacked)[:2] == results(single)[:2]
    assert [row["reason"] for row in results(stacked)] == [row["reason"] for row in results(single)]
    rows, client = table(stacked), MlflowClient(f"sqlite:///{store}")
    assert [row["state"] for row in rows] == ["COMPLETE", "COMPLETE", "FAILED", "FAILED"]
    assert all("in fold 0, " in row["reason"] for row in rows[2:])
    for row in rows[:2]:
        measured = client.get_run(row["run_id"]).data.metrics
        values = [measured[f"values/fold/{f}/val_loss"] for f in range(3)]
        assert float(row["value"]) == measured["values/val_loss"] == statistics.fmean(values)
        assert measured["values/metric_se"] == float(row["final/metric_se"]) == statistics.stdev(values) / math.sqrt(3)
        assert len(client.get_metric_history(row["run_id"], "val/loss")) == int(row["epochs"])
    best = min(rows[:2], key=lambda row: float(row["value"]))
    assert {name.split("/")[1] for name in load_file(stacked / best["job_dir"] / "weights.safetensors")} == set("012")


@pytest.mark.verify
@pytest.mark.parametrize("pruner", ["none", "asha search.pruner.min_resource=1"])
def test_stopped_study_with_folds_ends_with_the_same_table(
    pruner: str, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*BAYES, *f"search/pruner={pruner}".split())
    whole = Studies(tmp_path / "whole", store).run(*command, task=train)
    studies, ended = Studies(tmp_path / "stopped", store), OpenTrials.ended

    def interrupt(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenTrials, "ended", interrupt)
    with pytest.raises(StudyStopped, match="4 of 9 trials are saved"):
        studies.run(*command, task=train)
    monkeypatch.undo()
    resumed = studies.run(*command, task=train)
    assert results(resumed) == results(whole)
    assert ("PRUNED" in [row["state"] for row in results(whole)]) == (pruner != "none")


@pytest.mark.verify
def test_confirm_chooses_with_the_folds_and_retrains_without(tmp_path: Path) -> None:
    Studies(tmp_path, tmp_path / "mlflow.db").run(*BAYES, "search.study_name=one", task=train)
    stored = open_study(replace(small(), runs=str(tmp_path)), "one")
    opened = list[DataConfig]()

    def open_test(config: DataConfig, *rest: Any) -> Any:
        opened.append(config)
        return open_test_split(config, *rest)

    with confirming():
        confirm_study(stored, ConfirmConfig(top=2, selection_seeds=2, seeds=2), open_test)
    assert [(one.name, one.folds, one.fit_on) for one in opened] == [("wine", None, "train_validation")]
