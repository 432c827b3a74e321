"""Which rows of an estimator's fit train, and which validate. N rows, M of a class."""

from __future__ import annotations

import numpy as np

VALIDATION = 0.2
"""The share of the rows that validate: they say which trial is the best, and which of its epochs."""
FEWEST = 5
"""Rows of each class in the table: a rarer class has its rows in it more than once."""


def divided(y_N: np.ndarray, draw: np.random.Generator, *, of_classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, and the split that each is in: of each class its share, of numbers those of a random order.

    There is no test split, for whoever uses an estimator tests elsewhere. A class with too few rows for both splits has
    them in it more than once, and where all numbers of a split are the same, so are the least and the greatest of all.
    """
    ends = [int(y_N.argmin()), int(y_N.argmax())]
    classes = [np.flatnonzero(y_N == one) for one in np.unique(y_N)] if of_classes else [np.arange(len(y_N))]
    train, validation = list[int](), list[int]()
    for own in classes:
        rows_M = np.resize(draw.permutation(own), max(len(own), FEWEST)).tolist()
        count = max(2, round(VALIDATION * len(rows_M)))
        validation += rows_M[:count]
        train += rows_M[count:]
    for part in (train, validation):
        part += ends if len(np.unique(y_N[part])) < 2 else []
    return np.array([*train, *validation]), np.repeat(["train", "validation"], [len(train), len(validation)])
