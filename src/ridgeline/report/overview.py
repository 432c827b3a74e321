"""All trials at a glance: in the order in which they were asked for, and over all dimensions at once. N trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import LogLocator, MaxNLocator

from ridgeline.report.axes import count_axis, needs_log, number_axis
from ridgeline.report.dots import dots, size_of, spots, ticks_of
from ridgeline.report.facts import Axis, Trial
from ridgeline.report.notation import in_picture, tick
from ridgeline.report.vector import BEST, FAINT, GRID, INK, PAPER, panel, svg

WIDE = 9.6
"""Inches, of a picture as wide as the page."""

MOST_LINES = 200
BEST_SHARE = 0.1
"""The share of the lines that stand out."""

MOST_DIMENSIONS = 7
ENDED = {"PRUNED": ("|", "pruned"), "FAILED": ("x", "failed")}


def history(trials: Sequence[Trial], metric: str, *, with_best: bool = True, rising: bool = False) -> str:
    """The metric by trial number, and the best so far; trials without a value are marks along the foot.

    `rising`: larger is better.
    """
    done = sorted((t for t in trials if t.state == "COMPLETE" and _is_number(t.value)), key=lambda t: t.number)
    numbers_N, values_N = np.array([t.number for t in done], float), np.array([t.value for t in done], float)
    with panel(WIDE, 2.8) as (figure, axes):
        dots(axes, (numbers_N, values_N), size_of(len(done)), color=FAINT, alpha=0.7, linewidths=0, label="trial")
        if with_best:
            best_N = (np.maximum if rising else np.minimum).accumulate(values_N)
            axes.step(numbers_N, best_N, where="post", color=BEST, linewidth=1.8, label="best so far")
        number_axis(axes, "y", values_N.tolist())
        known, foot = spots(done, (numbers_N, values_N)), axes.get_ylim()[0]
        axes.set_ylim(bottom=foot)
        for state, (marker, word) in ENDED.items():
            ended = [t for t in trials if t.state == state]
            if ended:
                at = np.array([t.number for t in ended], float), np.full(len(ended), foot)
                look = {"marker": marker, "color": INK, "alpha": 0.6, "linewidths": 0.8, "clip_on": False}
                dots(axes, at, 16.0, label=word, **look)
                known += spots(ended, at)
        count_axis(axes)
        axes.set(xlabel="trial number")
        axes.set_title(in_picture(metric))
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=4)
        return svg(figure, f"{metric} by trial number: {len(done)} trials", known)


def parallel(axes_D: Sequence[Axis], ranked: Sequence[Trial], metric: str) -> str:
    """A line a trial through its place on each dimension to its value on the right; the best stand out.

    `ranked`: complete trials, the best first; those that `drawn_of` takes are shown.
    """
    shown = drawn_of(ranked)
    last = Axis(metric, metric, is_log=needs_log([t.value for t in shown if t.value is not None]))
    columns = [(axis, np.array([axis.place(t.params.get(axis.key)) for t in shown])) for axis in axes_D]
    columns.append((last, np.array([t.value for t in shown], float)))
    with panel(WIDE, 3.4) as (figure, axes):
        axes.grid(False)
        places_ND = np.stack([_scale(axes, d, *column) for d, column in enumerate(columns)], 1)
        lines = [np.column_stack([np.arange(len(columns)), row]) for row in places_ND]
        n_best = best_of(len(shown))
        for part, look in (
            (lines[n_best:], {"colors": FAINT, "alpha": 0.35, "linewidths": 0.7}),
            (lines[:n_best][::-1], {"colors": BEST, "alpha": 0.9, "linewidths": 1.5}),
        ):
            axes.add_collection(LineCollection(part, zorder=2, **look))
        axes.set(xlim=(-0.12, len(columns) - 0.85), ylim=(-0.06, 1.06))
        axes.set_yticks([])
        axes.set_xticks(range(len(columns)), [in_picture(axis.title) for axis, _ in columns])
        axes.tick_params("x", length=0, labelcolor=INK)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        known = [
            (t.number, float(d), float(place))
            for t, row in zip(shown, places_ND, strict=True)
            for d, place in enumerate(row)
            if math.isfinite(place)
        ]
        names = ", ".join(axis.label for axis, _ in columns)
        return svg(figure, f"parallel coordinates of {len(shown)} trials over {names}", known)


def drawn_of(ranked: Sequence[Trial]) -> list[Trial]:
    """All trials if a picture can show them, else the best and a selection of the others, evenly by rank."""
    if len(ranked) <= MOST_LINES:
        return list(ranked)
    n_best = best_of(MOST_LINES)
    places = np.linspace(n_best, len(ranked) - 1, MOST_LINES - n_best).round().astype(int)
    return [*ranked[:n_best], *(ranked[i] for i in places)]


def best_of(n: int) -> int:
    """How many of n lines stand out."""
    return max(1, round(BEST_SHARE * n))


def _scale(axes: Axes, d: int, axis: Axis, places_N: np.ndarray) -> np.ndarray:
    """Draw the upright line of a dimension with its labels; where on it the trials lie, 0 to 1."""
    axes.plot([d, d], [0, 1], color=GRID, linewidth=1.2, zorder=1)
    known_N = places_N[np.isfinite(places_N)]
    if axis.choices:
        low, high = 0.0, float(max(len(axis.choices) - 1, 1))
        at, words = ticks_of(axis)
        ticks = [float(place) for place in at]
    else:
        low, high = (float(known_N.min()), float(known_N.max())) if len(known_N) else (0.0, 1.0)
        found = _log_ticks(low, high) if axis.is_log and low < high else MaxNLocator(4).tick_values(low, high)
        ticks = [float(t) for t in found if low <= t <= high] or [low]
        words = [tick(float(f"{t:.3g}")) for t in ticks]

    def unit(values: np.ndarray) -> np.ndarray:
        if low == high:
            return np.where(np.isfinite(values), 0.5, np.nan)
        if axis.is_log:
            return np.asarray(np.log(values / low) / math.log(high / low))
        return np.asarray((values - low) / (high - low))

    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.75}
    for place, word in zip(unit(np.array(ticks)), words, strict=True):
        axes.text(d - 0.03, place, word, ha="right", va="center", color=FAINT, fontsize=8.5, bbox=box, zorder=4)
    return unit(places_N)


def _log_ticks(low: float, high: float) -> np.ndarray:
    subs = (1,) if high / low >= 300 else (1, 2, 5)
    return np.asarray(LogLocator(10, subs=subs, numticks=8).tick_values(low, high))


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
