"""The baseline, the best and an over-regularized network side by side: their learning curves and their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ridgeline.report.axes import count_axis, log_axis, needs_log
from ridgeline.report.facts import Curves, Weights
from ridgeline.report.notation import in_picture
from ridgeline.report.pairs import Pair
from ridgeline.report.vector import BY_NETWORK, FAINT, HEIGHT, WIDTH, panel, svg
from ridgeline.tasks.figures import larger_is_better, title

PERCENT = ("error", "balanced_error")

BINS = 81
"""How many bars the histogram has."""


def learning_curves(curves: Mapping[str, Curves], pairs: Sequence[Pair]) -> list[str]:
    """A picture for each network and each pair of numbers; all of one kind have one scale, so that heights compare."""
    return [_picture(network, one, pair, _limits(curves, pair)) for pair in pairs for network, one in curves.items()]


def _scale(kind: str) -> float:
    return 100.0 if kind in PERCENT else 1.0


def _picture(network: str, curves: Curves, pair: Pair, limits: tuple[float, float, bool]) -> str:
    kind = pair.kind
    scale, label = _scale(kind), title(kind) + (", %" if kind in PERCENT else "")
    low, high, is_log = limits
    colour, alone = BY_NETWORK[network], len(curves.histories) == 1
    with panel(WIDTH * 0.8, HEIGHT * 0.8) as (figure, axes):
        for i, history in enumerate(curves.histories):
            epochs = [row["epoch"] for row in history]
            train, validation = (
                [scale * row.get(name, math.nan) for row in history] for name in (pair.train, pair.validation)
            )
            first = i == 0
            marker = "." if len(epochs) <= 15 else None
            if alone:
                axes.fill_between(epochs, train, validation, color=colour, alpha=0.12, linewidth=0)
            width, alpha = (1.6, 1.0) if alone else (1.0, max(0.25, 1 / math.sqrt(len(curves.histories))))
            for values, style, split in ((train, "--", "train"), (validation, "-", "validation")):
                if not any(map(math.isfinite, values)):  # what training does not measure
                    continue
                (line,) = axes.plot(epochs, values, style, color=colour, linewidth=width, alpha=alpha)
                line.set(marker=marker or "", label=split if first else None)
        axes.set(xlabel="epoch", ylim=(low, high))
        if is_log:
            log_axis(axes, "y")
        count_axis(axes)
        axes.set_title(in_picture(f"{network}: {label}"))
        axes.legend(labelcolor=FAINT)
        seeds = "" if alone else f", {len(curves.histories)} seeds"
        return svg(figure, f"{label} by epoch of the {network} network{seeds}: train dashed, validation solid")


def _limits(curves: Mapping[str, Curves], pair: Pair) -> tuple[float, float, bool]:
    """Lower and upper end of the vertical axis, and whether it is logarithmic."""
    kind = pair.kind
    scale = _scale(kind)
    every = [
        scale * value
        for one in curves.values()
        for history in one.histories
        for row in history
        for name, value in row.items()
        if name in (pair.train, pair.validation) and math.isfinite(value)
    ]
    if not every:
        return 0.0, 1.0, False
    if kind.endswith("loss") and needs_log(every):
        return min(every) / 1.2, max(every) * 1.2, True
    if larger_is_better(kind):  # most of the way from 0 to them says nothing
        margin = 0.05 * (max(every) - min(every)) or 0.05
        return min(every) - margin, max(every) + margin, False
    return 1.05 * min(0.0, *every), 1.05 * max(0.0, *every) or 1.0, False


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
