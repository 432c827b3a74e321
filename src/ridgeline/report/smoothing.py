"""A value that depends on the space, out of noisy trials.

N trials, G places, D dimensions; all axes run from 0 to 1.
"""

from __future__ import annotations

import numpy as np

FAR = 2.5
"""Bandwidths from the nearest trial, beyond which nothing is said."""

BLOCK = 2_000_000
"""Distances held at once."""


def smooth(points_ND: np.ndarray, values_N: np.ndarray, at_GD: np.ndarray) -> np.ndarray:
    """The mean of the trials around each place, weighted by a Gaussian of their distance (Nadaraya, Watson 1964).

    NaN where there is no trial near. It invents nothing outside of the values' range, and averages noise away.
    """
    n, d = points_ND.shape
    bandwidth = 0.3 * n ** (-1 / (4 + d))  # Scott's rule, for points that fill the axes
    smoothed = np.empty(len(at_GD))
    block = max(1, BLOCK // n)
    for start in range(0, len(at_GD), block):
        places = slice(start, start + block)
        squared_GN = sum((at_GD[places, None, i] - points_ND[None, :, i]) ** 2 for i in range(d))
        weights_GN = np.exp(-squared_GN / (2 * bandwidth**2))
        total_G = weights_GN.sum(1)
        smoothed[places] = (weights_GN @ values_N) / np.where(total_G > 0, total_G, 1)
        smoothed[places][squared_GN.min(1) > (FAR * bandwidth) ** 2] = np.nan
    return smoothed
