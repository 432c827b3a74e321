"""Which rows of an estimator's fit train, and which validate. N rows, M of a class."""

from __future__ import annotations

import numpy as np

VALIDATION = 0.2
"""The share of the rows that validate: they say which trial is the best, and which of its epochs."""
FEWEST = 5
"""Rows of each class in the table: a rarer class has its rows in it more than once."""


def divided(y_N: np.ndarray, draw: np.random.Generator, *, of_classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, and the split that each is in: of each class its share, of numbers those of a random order.

    No row is held back, for whoever uses an estimator tests elsewhere. A study has a test split all the same: here it
    is a row of each class, or those of the least and the greatest number, a second time. A class with too few rows for
    all splits has them in it more than once, and where all numbers of a split are the same, so have those two.
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
    test = [int(own[0]) for own in classes] if of_classes else ends
    counts = [len(train), len(validation), len(test)]
    return np.array([*train, *validation, *test]), np.repeat(["train", "validation", "test"], counts)
