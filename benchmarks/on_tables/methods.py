"""What is compared: each method gets a table and a clock, and predicts the rows that test.

A method is a function of (table, seed, clock) that gives (N, C) probabilities of the table's classes, or (N,) numbers.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from on_tables import boosting, networks, simple
from on_tables.splits import Table

EXTRA = "pip install 'ridgeline[benchmark]'"


@dataclass(frozen=True)
class Clock:
    """`end`: of time.time(), that of the machine, for what a process needs to begin counts too."""

    end: float

    @property
    def left(self) -> float:
        return self.end - time.time()


Method = Callable[[Table, int, Clock], np.ndarray]


@dataclass(frozen=True)
class Known:
    """`package`: what it needs beside Ridgeline. `is_quick`: whether --quick takes it."""

    predict: Method
    package: str | None
    is_quick: bool

    @property
    def is_installed(self) -> bool:
        return self.package is None or importlib.util.find_spec(self.package) is not None


METHODS: dict[str, Known] = {
    "ridgeline": Known(networks.ridgeline, None, True),
    "ridgeline_ensemble": Known(networks.ridgeline_ensemble, None, True),
    "baseline": Known(networks.baseline, None, False),
    "linear": Known(simple.linear, None, True),
    "sklearn_mlp": Known(simple.sklearn_mlp, None, False),
    "lightgbm": Known(boosting.lightgbm, "lightgbm", True),
    "lightgbm_tuned": Known(boosting.lightgbm_tuned, "lightgbm", True),
    "xgboost": Known(boosting.xgboost, "xgboost", False),
    "xgboost_tuned": Known(boosting.xgboost_tuned, "xgboost", False),
    "catboost": Known(boosting.catboost, "catboost", False),
    "catboost_tuned": Known(boosting.catboost_tuned, "catboost", True),
    "realmlp": Known(networks.realmlp, "pytabkit", False),
    "tabm": Known(networks.tabm, "pytabkit", False),
}
