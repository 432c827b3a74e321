"""How many examples of each class train and validate, before anything does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ridgeline.config import DataConfig
from ridgeline.data.arrays import load_arrays

SHOWN = 20
"""Of so many classes at most there is a line."""


def class_lines(config: DataConfig) -> Iterator[str]:
    """A table with an empty line above it. Of the test split nothing is counted."""
    known = load_arrays(config)
    names = known.description.class_names or tuple(map(str, range(known.n_classes)))
    train_C, validation_C = (np.bincount(split.y_N, minlength=len(names)) for split in (known.train, known.validation))
    wide = max(len("class"), *(len(name) for name in names[:SHOWN]))
    yield ""
    yield f"{'class':{wide}}  {'train':>7}  {'validation':>10}"
    for name, train, validation in list(zip(names, train_C, validation_C, strict=True))[:SHOWN]:
        yield f"{name:{wide}}  {train:7}  {validation:10}"
    if len(names) > SHOWN:
        yield f"... and {len(names) - SHOWN} more"
