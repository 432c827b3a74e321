"""Targets as a network takes them: the number of each example's class, or in regression numbers.

What is given may be labels of any kind, or numbers of which only the user knows whether they name classes: `task` says
so. N examples.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np

from ridgeline.checking import ConfigError
from ridgeline.tasks.losses import Task

FEW = 20
"""Different numbers at most that may well be classes, however few examples each has."""

EXAMPLES_OF_A_CLASS = 10
"""In the mean, at least, of numbers that may well be classes though there are more than `FEW`."""

LARGEST = float(np.finfo(np.float32).max)

Kind = Literal["labels", "whole numbers", "numbers"]


class Targets(NamedTuple):
    """`y_N`: int64 from 0 to C-1 in the order of the sorted labels, or in regression float64. `class_names`: the labels
    as text, in that order; none in regression."""

    y_N: np.ndarray
    class_names: tuple[str, ...]


class Giver(NamedTuple):
    """Where targets come from, in the words of an error: what the data are called, who gives what is refused, and what
    that was then: `data._target_ gives` a rule, but got `mine.load()=` a value."""

    name: str
    gives: str
    got: str


def read_targets(given_N: np.ndarray, task: Task | Literal["auto"], giver: Giver) -> Targets:
    """`task`: what the user says; auto: labels are classes, and numbers with a point are refused with what to say.

    Raises ConfigError, one line, for what is no target of the task.
    """
    values_N, kind = _values(given_N, giver)
    if task == "regression":
        return Targets(_as_numbers(values_N, giver), ())
    if task == "auto":
        _require_classes(values_N, kind, giver)
    if kind == "numbers":
        raise _refusal("targets that are labels or whole numbers with task=classification", _listed(values_N), giver)
    labels, numbers_N = np.unique(values_N, return_inverse=True)
    if len(labels) < 2:
        raise _refusal("targets of two classes or more", _listed(labels), giver)
    names = tuple(_text(label, kind) for label in labels.tolist())
    return Targets(numbers_N.astype(np.int64), names)


def _values(given_N: np.ndarray, giver: Giver) -> tuple[np.ndarray, Kind]:
    """The targets as an array of one kind: text, truth values, or numbers."""
    if given_N.dtype.kind in "OfmM":
        n_missing = sum(map(_is_missing, given_N.tolist()))
        if n_missing:
            raise _refusal("a target for each example", f"{n_missing} that are missing", giver)
    if given_N.dtype.kind == "O":
        given_N = _of_one_kind(given_N, giver)
    if given_N.dtype.kind in "iu":
        return given_N, "whole numbers"
    if given_N.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            is_whole = bool((given_N == np.trunc(given_N)).all()) and bool((np.abs(given_N) < 2**53).all())
        return given_N, "whole numbers" if is_whole else "numbers"
    if given_N.dtype.kind not in "bUS":
        raise _refusal("targets that are labels or numbers", _listed(given_N), giver)
    return given_N, "labels"


def _of_one_kind(given_N: np.ndarray, giver: Giver) -> np.ndarray:
    """Of Python objects an array of text, truth values or numbers."""
    values = given_N.tolist()
    if all(isinstance(value, (bool, np.bool_)) for value in values):
        return given_N.astype(bool)
    if all(isinstance(value, (Real, Decimal)) and not isinstance(value, (bool, np.bool_)) for value in values):
        whole = all(isinstance(value, (int, np.integer)) and abs(int(value)) < 2**63 for value in values)
        return given_N.astype(np.int64 if whole else np.float64)
    if all(isinstance(value, (str, bytes)) for value in values):
        return np.asarray([value.decode(errors="replace") if isinstance(value, bytes) else value for value in values])
    kinds = sorted({type(value).__name__ for value in values})
    raise _refusal("targets of one kind", " and ".join(kinds), giver)


def _is_missing(value: Any) -> bool:
    """Python's None, NaN of any package, and pandas' NA and NaT, of which no comparison is true or false."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating, Decimal)) and bool(value != value)


def _as_numbers(values_N: np.ndarray, giver: Giver) -> np.ndarray:
    try:
        y_N = values_N.astype(np.float64)
    except ValueError:
        no_number = next(value for value in values_N.tolist() if not _reads_as_number(value))
        raise _refusal("targets that are numbers with task=regression", repr(no_number), giver) from None
    n_huge = int(np.count_nonzero(~(np.abs(y_N) <= LARGEST)))
    if n_huge:
        raise _refusal("targets that are finite in float32", f"{n_huge} that are not", giver)
    return y_N


def _reads_as_number(value: Any) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _require_classes(values_N: np.ndarray, kind: Kind, giver: Giver) -> None:
    """Refuse what may be no classes, where `task` does not say."""
    labels, n = np.unique(values_N), len(values_N)
    are_few = len(labels) <= max(FEW, n // EXAMPLES_OF_A_CLASS)
    is_float = values_N.dtype.kind == "f"
    if are_few and kind != "numbers" and not is_float:
        return
    if kind == "labels" and not all(map(_reads_as_number, labels.tolist())):
        return
    if kind == "numbers" or (is_float and not are_few):
        raise ConfigError(f"`task=regression with the targets of {giver.name}` must hold, but got task=auto.")
    what = f"{len(labels)} different numbers in {n} examples, {_listed(labels)}"
    rule = f"task is classification or regression with the targets of {giver.name}"
    raise ConfigError(f"`{rule}` must hold, for they are {what}, but got task=auto.")


def _text(label: Any, kind: Kind) -> str:
    if kind == "whole numbers":
        return str(int(label))
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)


def _refusal(rule: str, found: str, giver: Giver) -> ConfigError:
    return ConfigError(f"`{giver.gives} {rule}` must hold, but got {giver.got}={found}.")


def _listed(values: np.ndarray) -> str:
    """The first of them."""
    shown = ", ".join(str(value) for value in values[:3].tolist())
    return f"[{shown}]" if len(values) <= 3 else f"[{shown}, ...]"
