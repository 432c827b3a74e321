"""Which networks to average: greedy forward selection with replacement, by what they predict for validation examples
(Caruana, Niculescu-Mizil, Crew, Ksikes 2004).

M candidates, N examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Loss = Literal["log", "squared", "absolute"]
"""Of the probability of the true class, or of a predicted number."""

START, ROUNDS = 5, 20
"""So many of the best may be in from the start; then so many times the candidate is added with which the mean is best.
"""
LEAST = 1e-7
"""A probability below it counts as this: one that is rounded to 0 in float32 would outweigh all others."""

EACH: dict[Loss, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "log": lambda told_N, targets_N: -np.log(np.maximum(told_N, LEAST)),
    "squared": lambda told_N, targets_N: (told_N - targets_N) ** 2,
    "absolute": lambda told_N, targets_N: np.abs(told_N - targets_N),
}


@dataclass(frozen=True)
class Selection:
    """`counts_M`: how often each candidate was taken; its share in the mean is proportional to that. `loss`: of the
    mean, `alone`: of the best candidate, on the examples that have selected."""

    counts_M: np.ndarray
    loss: float
    alone: float

    @property
    def shares_M(self) -> np.ndarray:
        shares_M: np.ndarray = self.counts_M / self.counts_M.sum()
        return shares_M


def select(
    told_MN: np.ndarray,
    targets_N: np.ndarray,
    loss: Loss,
    weights_N: np.ndarray | None = None,
    *,
    start: int = START,
    rounds: int = ROUNDS,
) -> Selection:
    """The mean of the candidates that has the least loss on its way.

    `told`: what each candidate gives to the true class of each example, or the number that it predicts. `weights`: how
    much an example counts. Candidates may be taken again; of equal ones the first is.
    """

    told_MN = told_MN.astype(np.float64)  # so that a mean of one candidate is that candidate, to the last bit

    def mean(told_N: np.ndarray) -> float:
        return float(np.average(EACH[loss](told_N, targets_N), weights=weights_N))

    alone_M = np.array([mean(told_N) for told_N in told_MN])
    order_M = np.argsort(alone_M, kind="stable")
    counts_M, total_N = np.zeros(len(told_MN), np.int64), np.zeros(told_MN.shape[1])
    first = [mean(told_MN[order_M[:n]].mean(axis=0)) for n in range(1, min(start, len(told_MN)) + 1)]
    for m in order_M[: int(np.argmin(first)) + 1]:
        counts_M[m] += 1
        total_N += told_MN[m]
    found = Selection(counts_M.copy(), min(first), float(alone_M.min()))
    for _ in range(rounds):
        size = counts_M.sum() + 1
        losses_M = [mean((total_N + told_N) / size) for told_N in told_MN]
        m = int(np.argmin(losses_M))
        counts_M[m] += 1
        total_N += told_MN[m]
        if losses_M[m] < found.loss:
            found = Selection(counts_M.copy(), losses_M[m], found.alone)
    return found
