"""All examples of a data set. N examples, I features, C classes.

A source holds every row, the test split's too: nothing outside this package reads one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.tasks.losses import Task

if TYPE_CHECKING:
    import pandas as pd

    from ridgeline.images.reading import Survey
    from ridgeline.tables.columns import Column
    from ridgeline.tables.stored import StoredTable
    from ridgeline.tables.target import Target


@dataclass(frozen=True)
class TableFacts:
    """`said`: how the file was read, in words. `column`: the target of all rows, and `target`: what became of it."""

    said: str
    column: pd.Series
    target: Target


@dataclass(frozen=True)
class ImageFacts:
    """`names`: what each image is called. `survey`: what was found in their files. `bad`: the files that were left out,
    and why. `said`: what else was understood, in lines."""

    names: Sequence[str]
    survey: Survey
    bad: tuple[tuple[str, str], ...]
    said: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """All examples in their own order: features float32, or of images bytes, uint8, as an array or a map of a file;
    labels int64 from 0 to C-1, or in regression numbers, float64.

    The last `n_test` rows are the official test split (0: there is none, the split makes one). `content` is the SHA-256
    of what was read, as hex; of a table with what its columns become. `examples` is that of its files and its target
    alone, so that the same rows are known again. `class_names`: what the user calls the classes, if these have names.
    `image_shape`: (C, H, W) of an image, whose features are its pixels in that order, one channel after the other.

    A table has no `x_NI` but a `frame`, which reads the features as they are in the file, and its `columns`; `table`
    says how it was read. `groups_N` numbers the groups of rows, int64; `times_N` orders the rows, float64; `weights_N`,
    float64, says how much each counts; `given_N` which split each is in, as `data.given` has it: None where there is
    nothing of the kind.

    `n_locked`: the test split has so many examples, which come last and are not in here before it is opened. `notes`:
    what whoever begins a study should be told of these data, in sentences.
    """

    x_NI: np.ndarray | None
    y_N: np.ndarray
    content: str
    image_shape: tuple[int, int, int] | None = None
    n_test: int = 0
    class_names: tuple[str, ...] = ()
    table: TableFacts | None = None
    frame: StoredTable | None = None
    columns: tuple[Column, ...] = ()
    groups_N: np.ndarray | None = None
    times_N: np.ndarray | None = None
    weights_N: np.ndarray | None = None
    given_N: np.ndarray | None = None
    examples: str | None = None
    images: ImageFacts | None = None
    n_locked: int = 0
    notes: tuple[str, ...] = ()

    def features(self, rows: np.ndarray) -> Any:
        """Of these rows, as a scaler takes them: an array (N, I), or a frame."""
        if self.frame is not None:
            return self.frame.take(rows)
        assert self.x_NI is not None
        return self.x_NI[rows]

    @property
    def n_features(self) -> int:
        """Of an array."""
        assert self.x_NI is not None
        return int(self.x_NI.shape[1])

    @property
    def is_bytes(self) -> bool:
        """Whether the examples are images that are kept as bytes."""
        return self.x_NI is not None and self.x_NI.dtype == np.uint8

    @property
    def task(self) -> Task:
        return task_of(self.y_N)

    @property
    def n_classes(self) -> int:
        """0 in regression."""
        return len(np.unique(self.y_N)) if self.task == "classification" else 0


def task_of(y_N: np.ndarray) -> Task:
    """Which task these targets are of: numbers with a point are to be met as well as possible, others name classes."""
    return "regression" if np.issubdtype(y_N.dtype, np.floating) else "classification"
