"""Ridgeline as a user calls it, and the networks for tables of pytabkit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from on_tables.simple import predict
from on_tables.splits import Table

if TYPE_CHECKING:
    from on_tables.methods import Clock
    from ridgeline import Study


SPLIT = "split of the row"
END, LEAST_END = 0.15, 3.0
"""Of the time that is left when a study begins: the share, and the seconds at least, in which it writes its tables and
the network predicts."""
TRIALS = 1000
"""More than there is time for."""
IN_FLIGHT = 4
"""Trials of a worker at once, so that few are broken off when the time is up."""
STEP_SECONDS = 1e-3
"""Of a step, about: where a large table leaves no time for so many trials at once, or epochs, there are fewer."""
KEPT = 20
"""Of so many of the best trials the weights are kept, of which an ensemble is selected."""
LEARNING_RATE = {"optimizer.lr": (1e-3, 5e-2, "log")}


def ridgeline(table: Table, seed: int, clock: Clock) -> np.ndarray:
    """The best trial of `ridgeline.search`."""
    return _searched(table, seed, clock, lambda study: study.best_fitted())


def ridgeline_ensemble(table: Table, seed: int, clock: Clock) -> np.ndarray:
    """The mean of the study's trials that is best on validation."""
    return _searched(table, seed, clock, lambda study: study.ensemble.fitted)


def baseline(table: Table, seed: int, clock: Clock) -> np.ndarray:
    """The same network with all that regularizes off: its learning rate alone is searched."""
    return _searched(table, seed, clock, lambda study: study.best_fitted(), ["search.enqueue=[]"], LEARNING_RATE)


def _searched(
    table: Table,
    seed: int,
    clock: Clock,
    fitted_of: Callable[[Study], Any],
    more: Sequence[str] = (),
    space: Any = None,
) -> np.ndarray:
    import ridgeline
    from ridgeline.search.recipe import RECIPE

    splits = [table.frame.iloc[table.rows[split]].assign(**{SPLIT: split}) for split in ("train", "validation")]
    new = table.frame.drop(columns=table.target).iloc[table.rows["test"]]
    with tempfile.TemporaryDirectory() as runs:
        given = [RECIPE, f"data.split_column={SPLIT}", "data.train=0.8", "data.validation=0.2"]
        given += [f"task={'regression' if table.is_regression else 'classification'}"]
        given += [f"search.seed={seed}", f"seed={seed}", f"tracking.keep_weights={KEPT}"]
        seconds = _time_of_study(clock.left)
        epochs, batch = recipe_epochs_and_batch()
        epoch = len(table.rows["train"]) / batch * STEP_SECONDS
        given += [f"hydra.launcher.stack_size={max(1, min(IN_FLIGHT, int(seconds / 2 / (epochs * epoch))))}"]
        given += [f"trainer.max_epochs={max(1, min(epochs, int(seconds / 3 / epoch)))}"]
        given += ["tracking.pictures=false", "trainer.enable_progress_bar=false", f"search.timeout={seconds:.1f}"]
        study = ridgeline.search(
            pd.concat(splits), table.target, space=space, n_trials=TRIALS, overrides=[*given, *more], runs=runs
        )
        return _predicted(table, fitted_of(study), new)


def recipe_epochs_and_batch() -> tuple[int, int]:
    """How many epochs a trial of the recipe has at most, and how many rows a batch."""
    from ridgeline.api.composing import composed
    from ridgeline.search.recipe import RECIPE

    with composed([RECIPE]) as (_, recipe, _):
        return int(recipe.trainer.max_epochs), int(recipe.trainer.batch_size)


def _time_of_study(left: float) -> float:
    return max(1.0, left - max(END * left, LEAST_END))


def _predicted(table: Table, fitted: Any, new: pd.DataFrame) -> np.ndarray:
    predicted = np.asarray(fitted.predict(new), np.float64)
    if table.is_regression:
        return predicted
    whole = np.zeros((len(predicted), len(table.classes)))
    whole[:, np.searchsorted(table.classes, np.array(fitted.class_names))] = predicted
    return whole


def realmlp(table: Table, seed: int, clock: Clock) -> np.ndarray:
    import pytabkit

    kind = pytabkit.RealMLP_TD_Regressor if table.is_regression else pytabkit.RealMLP_TD_Classifier
    return _of_pytabkit(table, kind(random_state=seed, n_threads=2, device="cpu"), clock)


def tabm(table: Table, seed: int, clock: Clock) -> np.ndarray:
    import pytabkit

    kind = pytabkit.TabM_D_Regressor if table.is_regression else pytabkit.TabM_D_Classifier
    return _of_pytabkit(table, kind(random_state=seed, n_threads=2, device="cpu"), clock)


def _of_pytabkit(table: Table, model: Any, clock: Clock) -> np.ndarray:
    """Its defaults; missing numbers are their mean in training, for it takes none."""
    x = {split: table.features_of(split) for split in ("train", "validation", "test")}
    numbers = [name for name in x["train"] if not isinstance(x["train"][name].dtype, pd.CategoricalDtype)]
    means = x["train"][numbers].mean()
    for frame in x.values():
        frame[numbers] = frame[numbers].astype(np.float64).fillna(means)
    y = {split: table.numbers_of(split) for split in ("train", "validation")}
    model.fit(x["train"], y["train"], x["validation"], y["validation"], time_to_fit_in_seconds=int(0.85 * clock.left))
    return predict(table, model, x["test"])
