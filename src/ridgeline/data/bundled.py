"""The data sets that scikit-learn brings along, read from its files: importing it takes most of a second."""

from __future__ import annotations

import csv
import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np


def read_bundled(name: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Features (N, I), targets (N) and the names of the classes; as `sklearn.datasets` has them, of diabetes with
    `scaled=False`."""
    if name == "digits":  # 64 pixels and the digit
        table = _numbers("digits.csv.gz", ",")
        return table[:, :-1], table[:, -1].astype(np.int64), tuple(map(str, range(10)))
    if name == "diabetes":
        return _numbers("diabetes_data_raw.csv.gz"), _numbers("diabetes_target.csv.gz"), ()
    with _open({"breast_cancer": "breast_cancer.csv", "wine": "wine_data.csv"}[name]) as file:
        (_, _, *class_names), *rows = csv.reader(file)
    table = np.array(rows, np.float64)
    return table[:, :-1], table[:, -1].astype(np.int64), tuple(class_names)


def _numbers(file_name: str, delimiter: str | None = None) -> np.ndarray:
    with _open(file_name) as file:
        return np.loadtxt(file, delimiter=delimiter)


def _open(file_name: str) -> IO[str]:
    found = find_spec("sklearn")
    assert found is not None
    assert found.submodule_search_locations is not None
    path = Path(found.submodule_search_locations[0], "datasets", "data", file_name)
    return gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
