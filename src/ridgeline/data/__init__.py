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
    from ridgeline.data.class_overview import class_lines
    from ridgeline.data.leak_check import check_leaks, what_looks_wrong
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
    "class_lines",
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
    "what_looks_wrong",
]

LATER = {
    "class_overview": ["class_lines"],
    "leak_check": ["check_leaks", "what_looks_wrong"],
    "overview": ["look_at"],
    "splits": ["Split", "SplitLocked", "Splits", "load_splits"],
}
"""The modules that are imported with the first of their names."""


def __getattr__(name: str) -> Any:
    for module, names in LATER.items():
        if name in names:
            return getattr(importlib.import_module(f"ridgeline.data.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
