"""How large a network's weights are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ridgeline.report.axes import log_axis
from ridgeline.report.facts import Weights
from ridgeline.report.vector import BY_NETWORK, panel, svg

BINS = 81


def histogram(weights: Mapping[str, Weights]) -> str:
    """How many weights have which value, of each network; counts on a logarithmic axis, or the tails would not show."""
    reach = max(float(np.abs(w.values_W).max(initial=0.0)) for w in weights.values()) or 1.0
    edges = np.linspace(-reach, reach, BINS + 1)
    with panel() as (figure, axes):
        for name, own in weights.items():
            counts, _ = np.histogram(own.values_W, edges)
            axes.stairs(counts, edges, color=BY_NETWORK[name], linewidth=1.4, label=name)
            axes.stairs(counts, edges, color=BY_NETWORK[name], alpha=0.15, fill=True)
        axes.set_ylim(bottom=0.7)
        log_axis(axes, "y")
        axes.set(xlabel="weight", title="Weights, how many of each size")
        axes.legend()
        return svg(figure, f"histogram of the weights of {' and '.join(weights)}")
