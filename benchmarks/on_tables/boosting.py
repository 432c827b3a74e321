"""LightGBM, XGBoost and CatBoost: as they come, and tuned by Optuna's TPE for the rest of the time.

Each trial stops early on validation; the first has the library's own settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd

from on_tables.simple import SHARE, loss_of, predict
from on_tables.splits import Table

if TYPE_CHECKING:
    from on_tables.methods import Clock

ROUNDS, PATIENCE = 2000, 50
Make = Callable[[Table, int, dict[str, Any], bool], Any]
Suggest = Callable[[optuna.Trial], dict[str, Any]]


class Deadline:
    """A callback of LightGBM's: stops the training where the time is up."""

    def __init__(self, end: float) -> None:
        self.end = end

    def __call__(self, env: Any) -> None:
        import lightgbm

        if time.time() > self.end:
            raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)


def lightgbm(table: Table, seed: int, clock: Clock) -> np.ndarray:
    return _as_it_comes(table, seed, _lightgbm)


def lightgbm_tuned(table: Table, seed: int, clock: Clock) -> np.ndarray:
    return _tuned(table, seed, clock, _lightgbm, _suggest_lightgbm)


def xgboost(table: Table, seed: int, clock: Clock) -> np.ndarray:
    return _as_it_comes(table, seed, _xgboost)


def xgboost_tuned(table: Table, seed: int, clock: Clock) -> np.ndarray:
    return _tuned(table, seed, clock, _xgboost, _suggest_xgboost)


def catboost(table: Table, seed: int, clock: Clock) -> np.ndarray:
    return _as_it_comes(table, seed, _catboost)


def catboost_tuned(table: Table, seed: int, clock: Clock) -> np.ndarray:
    return _tuned(table, seed, clock, _catboost, _suggest_catboost)


def _as_it_comes(table: Table, seed: int, train: Callable[..., Any]) -> np.ndarray:
    x, y = _features(table), table.numbers_of("train")
    model = train(table, seed, {}, x, y, None)
    return predict(table, model, x["test"])


def _tuned(table: Table, seed: int, clock: Clock, train: Callable[..., Any], suggest: Suggest) -> np.ndarray:
    """Trials until the next would not end in time, if it took as long as the longest so far."""
    x, y, y_validation = _features(table), table.numbers_of("train"), table.numbers_of("validation")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    end, longest, best, found = clock.end - (1 - SHARE) * clock.left, 0.0, np.inf, None
    while found is None or time.time() + longest < end:
        began, trial = time.time(), study.ask()
        model = train(table, seed, suggest(trial) if found is not None else {}, x, y, (y_validation, end))
        loss = loss_of(table, predict(table, model, x["validation"]), y_validation)
        study.tell(trial, loss)
        if found is None or loss < best:
            best, found = loss, predict(table, model, x["test"])
        longest = max(longest, time.time() - began)
    return found


def _features(table: Table) -> dict[str, pd.DataFrame]:
    return {split: table.features_of(split) for split in ("train", "validation", "test")}


def _lightgbm(table: Table, seed: int, params: dict[str, Any], x: Any, y: np.ndarray, watched: Any) -> Any:
    import lightgbm

    make = lightgbm.LGBMRegressor if table.is_regression else lightgbm.LGBMClassifier
    common = {"random_state": seed, "n_jobs": 2, "verbose": -1}
    if watched is None:
        return make(**common).fit(x["train"], y)
    callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False), Deadline(watched[1])]
    model = make(n_estimators=ROUNDS, **common, **params)
    return model.fit(x["train"], y, eval_set=[(x["validation"], watched[0])], callbacks=callbacks)


def _suggest_lightgbm(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 8, 256, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 2, 100, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1),
        "subsample": trial.suggest_float("subsample", 0.5, 1),
        "subsample_freq": 1,
        "reg_alpha": trial.suggest_float("reg_alpha", 1e-8, 10, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-8, 10, log=True),
    }


def _xgboost(table: Table, seed: int, params: dict[str, Any], x: Any, y: np.ndarray, watched: Any) -> Any:
    import xgboost

    class Stop(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return watched is not None and time.time() > watched[1]

    make = xgboost.XGBRegressor if table.is_regression else xgboost.XGBClassifier
    common = {"random_state": seed, "n_jobs": 2, "enable_categorical": True, "tree_method": "hist"}
    if watched is None:
        return make(**common).fit(x["train"], y)
    stops = {"n_estimators": ROUNDS, "early_stopping_rounds": PATIENCE, "callbacks": [Stop()]}
    model = make(**stops, **common, **params)
    return model.fit(x["train"], y, eval_set=[(x["validation"], watched[0])], verbose=False)


def _suggest_xgboost(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "max_depth": trial.suggest_int("max_depth", 3, 10),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.1, 100, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1),
        "reg_alpha": trial.suggest_float("reg_alpha", 1e-8, 10, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-8, 10, log=True),
    }


def _catboost(table: Table, seed: int, params: dict[str, Any], x: Any, y: np.ndarray, watched: Any) -> Any:
    import catboost

    texts = list(table.categorical)
    for frame in x.values():  # which CatBoost has as text
        frame[texts] = frame[texts].astype(object).where(frame[texts].notna(), "missing")

    class Stop:
        def after_iteration(self, info: Any) -> bool:
            return watched is None or time.time() < watched[1]

    make = catboost.CatBoostRegressor if table.is_regression else catboost.CatBoostClassifier
    common = {"random_seed": seed, "thread_count": 2, "verbose": False, "allow_writing_files": False}
    if watched is None:
        return make(**common).fit(x["train"], y, cat_features=texts)
    model = make(iterations=ROUNDS, early_stopping_rounds=PATIENCE, **common, **params)
    validation = (x["validation"], watched[0])
    return model.fit(x["train"], y, cat_features=texts, eval_set=validation, callbacks=[Stop()])


def _suggest_catboost(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "depth": trial.suggest_int("depth", 4, 8),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 1, 30, log=True),
        "random_strength": trial.suggest_float("random_strength", 0, 2),
        "bagging_temperature": trial.suggest_float("bagging_temperature", 0, 2),
    }
