"""What each input of a network is, where the examples are rows of a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """All features of a row are numbers of one vector of `n_inputs`; positions count from 0.

    `numbers`: the positions that hold a measured number, standardized. `quantiles`: for each of these, quantiles of its
    distinct values in the train split, ascending, in the same units; what a piecewise linear encoding takes its bins
    from. `codes`: (position, how many there are) of each column of categories that are too many for a column each: the
    number there is a whole one, the category's, and 0 where it is missing or was never seen in training.
    """

    n_inputs: int
    numbers: tuple[int, ...] = ()
    quantiles: tuple[tuple[float, ...], ...] = ()
    codes: tuple[tuple[int, int], ...] = ()
