"""A data set is tensors on the device: the train and the validation split. The test split is behind `data.test_split`.

`describe` says what a data set is, and refuses a bad one, without torch: that is imported with the first name that
needs it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ridgeline.data.array_splits import DataDescription, Examples
from ridgeline.data.arrays import (
    check_again,
    describe,
    has_test_split,
    load_arrays,
    notes_of,
    require_same,
    require_test_split,
)
from ridgeline.data.data_module import TestLoader, open_data_module, require_fixed_splits
from ridgeline.data.drawing import drawing_with
from ridgeline.data.ledger import note_reuse
from ridgeline.data.scaler import Scaler

if TYPE_CHECKING:
    from ridgeline.data.leak_check import check_leaks
    from ridgeline.data.overview import look_at
    from ridgeline.data.splits import Split, SplitLocked, Splits, load_splits

__all__ = [
    "DataDescription",
    "Examples",
    "Scaler",
    "Split",
    "SplitLocked",
    "Splits",
    "TestLoader",
    "check_again",
    "check_leaks",
    "describe",
    "drawing_with",
    "has_test_split",
    "load_arrays",
    "load_splits",
    "look_at",
    "note_reuse",
    "notes_of",
    "open_data_module",
    "require_fixed_splits",
    "require_same",
    "require_test_split",
]


def __getattr__(name: str) -> Any:
    if name == "check_leaks":
        return importlib.import_module("ridgeline.data.leak_check").check_leaks
    if name == "look_at":
        return importlib.import_module("ridgeline.data.overview").look_at
    if name in ("Split", "SplitLocked", "Splits", "load_splits"):
        return getattr(importlib.import_module("ridgeline.data.splits"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
