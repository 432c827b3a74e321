"""Trials as dots in a picture whose axes are dimensions of the space. N trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ridgeline.report.axes import log_axis, number_axis
from ridgeline.report.facts import Axis, Trial
from ridgeline.report.notation import in_picture, tick
from ridgeline.report.notation import number as in_words
from ridgeline.report.vector import FAINT, MANY, Spot

GREY = "#808080"
"""The colour of dots that are drawn as pixels, which cannot follow the page's colours."""

Number = Callable[[Trial], float]
"""Gives the number of a trial that a picture shows; NaN if the trial has none."""


def prepare(axes: Axes, which: str, axis: Axis, places_N: np.ndarray) -> None:
    """Label, scale and limits of a picture's axis that shows this dimension."""
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    (axes.set_xlabel if which == "x" else axes.set_ylabel)(in_picture(axis.title))
    if axis.choices:
        set_limits(-0.5, len(axis.choices) - 0.5)
        ticks, words = ticks_of(axis)
        (axes.set_xticks if which == "x" else axes.set_yticks)(ticks, words)
        if which == "x" and sum(map(len, words)) > 45:
            axes.tick_params("x", labelrotation=30)
        return
    low, high = float(places_N.min()), float(places_N.max())
    if axis.is_log:
        margin = (high / low) ** 0.04 if high > low else 2.0
        set_limits(low / margin, high * margin)
        log_axis(axes, which)
    else:
        margin = 0.04 * (high - low) or max(0.5, abs(high) / 10)
        set_limits(low - margin, high + margin)
        number_axis(axes, which)


def shown_on(
    trials: Sequence[Trial], number: Number | None, *axes: Axis | None, state: str = "COMPLETE"
) -> list[Trial]:
    """The trials of this state that have the number and a position on the axes."""
    found = [t for t in trials if t.state == state and (number is None or math.isfinite(number(t)))]
    given = [a for a in axes if a is not None]
    return [t for t in found if all(math.isfinite(a.place(t.params.get(a.key))) for a in given)]


def places(trials: Sequence[Trial], axis: Axis) -> np.ndarray:
    return np.array([axis.place(t.params[axis.key]) for t in trials], float)


def spots(trials: Sequence[Trial], at: Sequence[np.ndarray]) -> list[Spot]:
    """The trials with their positions, as `svg` takes them."""
    return [(t.number, float(x), float(y)) for t, x, y in zip(trials, at[0], at[1], strict=True)]


def dots(axes: Axes, at: Sequence[np.ndarray], size: float, **look: Any) -> Any:
    """Many of them as pixels."""
    many = len(at[0]) > MANY
    if not {"c", "color"} & look.keys():
        look |= {"color": GREY if many else FAINT, "linewidths": 0.8}
    return axes.scatter(at[0], at[1], size, rasterized=many, **look)


def size_of(n: int) -> float:
    """The area of each of n dots, in square points."""
    return min(24.0, max(3.0, 2500 / max(n, 1)))


def colour_bar(figure: Figure, axes: Axes, drawn: Any, **look: Any) -> Any:
    bar: Any = figure.colorbar(drawn, ax=axes, pad=0.02, aspect=28, **look)
    bar.outline.set_visible(False)
    bar.solids.set(alpha=1, rasterized=True, edgecolor="face")
    return bar


def ticks_of(axis: Axis) -> tuple[list[int], list[str]]:
    """Ticks and labels of an axis that is a list: for a dozen of its values at most."""
    kept = list(range(0, len(axis.choices), math.ceil(len(axis.choices) / 12)))
    return kept, [tick(axis.choices[i]) if axis.is_numeric else in_picture(in_words(axis.choices[i])) for i in kept]


def spread(n: int, phase: int = 0) -> np.ndarray:
    """Sideways, so that the dots of one value do not hide each other; the same each time."""
    share = (0.6180339887, 0.7548776662)[phase]
    return np.asarray(0.22 * (2 * np.modf(np.arange(n) * share)[0] - 1))
