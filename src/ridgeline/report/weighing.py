"""How large a network's weights are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ridgeline.report.vector import BY_NETWORK, panel, svg

SMALL = 1e-3
"""In size below which a weight does next to nothing, with inputs of about 1."""

BINS = 81


@dataclass(frozen=True)
class Weighed:
    """`zero` and `small`: the shares of the weights that are exactly 0, and below 1e-3 in size. `norm`: L2."""

    count: int
    zero: float
    small: float
    norm: float


def weigh(weights_W: np.ndarray) -> Weighed:
    size_W = np.abs(weights_W)
    norm = float(np.linalg.norm(weights_W.astype(np.float64)))
    return Weighed(weights_W.size, float((size_W == 0).mean()), float((size_W < SMALL).mean()), norm)


def histogram(weights: Mapping[str, np.ndarray]) -> str:
    """How many weights have which value, of each network; counts on a logarithmic axis, or the tails would not show."""
    reach = max(float(np.abs(w).max()) for w in weights.values()) or 1.0
    edges = np.linspace(-reach, reach, BINS + 1)
    with panel() as (figure, axes):
        for name, weights_W in weights.items():
            counts, _ = np.histogram(weights_W, edges)
            axes.stairs(counts, edges, color=BY_NETWORK[name], linewidth=1.4, label=name)
            axes.stairs(counts, edges, color=BY_NETWORK[name], alpha=0.15, fill=True)
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.set(xlabel="weight", title="Weights, how many of each size")
        axes.legend()
        return svg(figure, f"histogram of the weights of {' and '.join(weights)}")
