"""A study's champion in Python: rows as they are in, predictions in the user's own classes and units out.

N rows, C classes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline.api.given import as_array, as_frame
from ridgeline.checking import ConfigError, require
from ridgeline.evaluation.stored import StoredStudy

if TYPE_CHECKING:
    from ridgeline.stack.fitted import Fitted


@dataclass(frozen=True)
class Champion:
    """`model` is its name in MLflow's registry; None: it is not registered."""

    model: str | None
    fitted: Fitted = field(repr=False)

    @classmethod
    def of(cls, stored: StoredStudy) -> Champion:
        """The version that confirming this study has registered. Raises ConfigError where there is none."""
        from ridgeline.data import has_test_split
        from ridgeline.evaluation.confirm_folder import read_confirmed
        from ridgeline.evaluation.scoring import open_model
        from ridgeline.evaluation.verdict import HARMS
        from ridgeline.tracking import Tracker

        tag = None
        if stored.run_id is not None:
            with Tracker(stored.config) as tracker:
                tag = tracker.tags_of(stored.run_id).get("ridgeline.champion")
        if tag is None:
            confirmed = read_confirmed(stored.folder)
            why = f"study.confirm() registers one, or: {stored.line.follow('confirm', stored.name)}"
            if confirmed is not None and confirmed.record["verdict"]["word"] == HARMS:
                why = "regularization harms, so its winner was not registered."
            if not has_test_split(stored.config.data):
                why = "its data have no test split, so it cannot be confirmed; study.best_fitted() is its best network."
            raise ConfigError(f"`the study has a champion` must hold, but got none of {stored.name}: {why}")
        return cls(tag, open_model(tag, stored.config))

    @cached_property
    def classes(self) -> np.ndarray:
        """(C,) What the classes are called: whole numbers and truth values as such, all else as text."""
        return classes_of(self.fitted.class_names or tuple(map(str, range(self.fitted.n_classes))))

    def predict(self, x: Any) -> np.ndarray:
        """(N,) The class of each row, or in regression the target in its own unit. `x`: a frame with the columns of the
        table, the path of a file with such, or an array of the columns that an array has trained; of a model of images
        an array of them, (N, H, W), (N, C, H, W) or (N, H, W, C), or a folder or a glob, in the order of their names.
        """
        found = self.fitted.predict(self._rows(x))
        if self.fitted.task == "regression":
            return found
        predicted_N: np.ndarray = self.classes[found.argmax(axis=1)]
        return predicted_N

    def predict_proba(self, x: Any) -> np.ndarray:
        """(N, C) The probabilities of `classes`."""
        predicted = self.fitted.task
        require(predicted == "classification", "predict_proba is of classes", "task", predicted)
        return self.fitted.predict(self._rows(x))

    def _rows(self, x: Any) -> Any:
        is_path = isinstance(x, (str, os.PathLike))
        if self.fitted.scaler.encoder is None:
            from ridgeline.evaluation.new_arrays import array_rows  # torch, which a study need not wait for
            from ridgeline.evaluation.scoring import examples_in

            if is_path:
                return examples_in(self.fitted, os.path.expanduser(x))
            return array_rows(self.fitted, as_array(x, "X"), "X")
        if is_path:
            import pandas as pd

            from ridgeline.tables.reading import read_chunks

            data: Any = self.fitted.config.data
            return pd.concat(read_chunks(str(Path(x)), key="X", missing=data.missing, strings=data.strings))
        return as_frame(x)


@dataclass(frozen=True)
class Ensemble(Champion):
    """The mean of some of a study's networks, as these were trained. `members`: their trials, shares and parameters.

    `loss` and `alone`: of the mean and of the best network by itself, on the validation examples that have chosen both:
    on new examples the gain may be less.
    """

    members: tuple[Member, ...]
    loss: float
    alone: float

    @classmethod
    def of(cls, stored: StoredStudy) -> Ensemble:
        """Raises ConfigError where the weights of no trial are kept, or where they are of folds."""
        from ridgeline.evaluation.ensemble import of_own_weights

        fitted, chosen = of_own_weights(stored)
        pairs = zip(chosen.members, chosen.shares, strict=True)
        members = tuple(Member(int(c.trial or 0), share, c.params) for c, share in pairs)
        return cls(None, fitted, members, chosen.loss, chosen.alone)


class Member(NamedTuple):
    """A trial in an ensemble; the shares add up to 1."""

    trial: int
    share: float
    params: dict[str, Any]


def classes_of(names: tuple[str, ...]) -> np.ndarray:
    """The classes by the names that they have in a study."""
    if all(name in ("False", "True") for name in names):
        return np.array([name == "True" for name in names])
    try:
        numbers = [int(name) for name in names]
    except ValueError:
        return np.array(names)
    return np.array(numbers) if [str(number) for number in numbers] == list(names) else np.array(names)
