"""Numbers divided in two at random: what scikit-learn's `train_test_split` draws, number by number.

It is written out here for its import takes most of a second, which each start would wait for.
"""

from __future__ import annotations

import numpy as np


def draw(n: int, count: int, classes_N: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` of the numbers below `n`, and the others, each ascending. With `classes_N` each class in its share.

    Raises ValueError where a class has one number, or a split is too small to have each class.
    """
    rng = np.random.RandomState(seed)
    if classes_N is None:
        is_chosen_N = np.ones(n, bool)
        is_chosen_N[rng.permutation(n)[: n - count]] = False
        return np.flatnonzero(is_chosen_N), np.flatnonzero(~is_chosen_N)
    _, class_N, sizes_C = np.unique(classes_N, return_inverse=True, return_counts=True)
    if sizes_C.min() < 2:
        raise ValueError("each class needs two examples")
    for split, size in (("train", count), ("test", n - count)):
        if size < len(sizes_C):
            raise ValueError(
                f"The {split}_size = {size} should be greater or equal to the number of classes = {len(sizes_C)}"
            )
    counts_C = _shares(sizes_C, count, rng)
    _shares(sizes_C - counts_C, n - count, rng)  # they are all that is left; but it draws
    is_chosen_N, members = np.zeros(n, bool), np.split(np.argsort(class_N, kind="stable"), np.cumsum(sizes_C)[:-1])
    for own, share in zip(members, counts_C, strict=True):
        is_chosen_N[own[rng.permutation(len(own))[:share]]] = True
    return np.flatnonzero(is_chosen_N), np.flatnonzero(~is_chosen_N)


def _shares(sizes_C: np.ndarray, count: int, rng: np.random.RandomState) -> np.ndarray:
    """How many of each class, `count` in all: its share rounded down, and one more where most was cut off; which of
    those that are alike in this is drawn."""
    exact_C = sizes_C / sizes_C.sum() * count
    whole_C = np.floor(exact_C)
    cut_C, left = exact_C - whole_C, int(count - whole_C.sum())
    for cut in np.unique(cut_C)[::-1]:
        if left <= 0:
            break
        alike = np.flatnonzero(cut_C == cut)
        one_more = rng.choice(alike, size=min(len(alike), left), replace=False)
        whole_C[one_more] += 1
        left -= len(one_more)
    return whole_C.astype(int)
