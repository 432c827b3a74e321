"""Divide rows by time or by group, so that no split knows what it could not know: the future, or a row's own group.

N rows, G groups, C classes.
"""

from __future__ import annotations

import numpy as np

DRAWS = 64
"""Orders of the groups that are drawn; the one is taken that divides rows and classes best."""


def last_times(times_N: np.ndarray, groups_N: np.ndarray) -> np.ndarray:
    """(N,) For each row the time of its group's last one: rows divided by it stay with their group, and those that come
    first hold nothing that is later than the end of a group of the others."""
    numbers_N = np.unique(groups_N, return_inverse=True)[1]
    last_G = np.full(numbers_N.max() + 1, -np.inf)
    np.maximum.at(last_G, numbers_N, times_N)
    return last_G[numbers_N]


def by_time(times_N: np.ndarray, count: int) -> np.ndarray | None:
    """(N,) Whether a row is among the first `count` by time, or as near to so many as rows of one time let it be, which
    stay together. None: all have the same time."""
    times_T, first_T = np.unique(np.sort(times_N), return_index=True)
    if len(times_T) < 2:
        return None
    cut = 1 + int(np.abs(first_T[1:] - count).argmin())
    is_first_N: np.ndarray = times_N < times_T[cut]
    return is_first_N


def by_groups(groups_N: np.ndarray, count: int, classes_N: np.ndarray | None, seed: int, least: int) -> np.ndarray:
    """(N,) Whether a row's group is drawn: whole groups of about `count` rows in all, with each class in its share.

    Of `DRAWS` random orders the one is taken whose first groups come nearest to that, both sides having all classes if
    that can be. So large groups are drawn about as likely as small ones. Each side gets `least` groups or more: there
    must be twice as many.
    """
    numbers_N = np.unique(groups_N, return_inverse=True)[1]
    n_groups = int(numbers_N.max()) + 1
    columns = [np.ones(len(numbers_N))]
    if classes_N is not None:
        columns += [classes_N == c for c in np.unique(classes_N)]
    counts_GC = np.stack([np.bincount(numbers_N, weights=column, minlength=n_groups) for column in columns], axis=1)
    totals_C, share = counts_GC.sum(axis=0), count / len(numbers_N)
    draw, best, chosen_M = np.random.default_rng(seed), (np.inf, np.inf), np.arange(0)
    for _ in range(DRAWS):
        order_G = draw.permutation(n_groups)
        sums_GC = counts_GC[order_G].cumsum(axis=0)
        n = least + int(np.abs(sums_GC[least - 1 : n_groups - least, 0] - count).argmin())
        sums_C = sums_GC[n - 1]
        lacking = float(((sums_C == 0) | (sums_C == totals_C)).sum())
        found = (lacking, float(np.square(sums_C / totals_C - share).mean()))
        if found < best:
            best, chosen_M = found, order_G[:n]
    is_drawn_G = np.zeros(n_groups, bool)
    is_drawn_G[chosen_M] = True
    return is_drawn_G[numbers_N]
