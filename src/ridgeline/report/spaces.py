"""How a number depends on one or two dimensions of the space. N trials, G places, D dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize

from ridgeline.report.axes import log_axis, needs_log, number_axis
from ridgeline.report.dots import Number, colour_bar, dots, places, prepare, shown_on, size_of, spots, spread, ticks_of
from ridgeline.report.facts import Axis, Trial
from ridgeline.report.notation import in_picture
from ridgeline.report.vector import BEST, HEIGHT, INK, MANY, WIDTH, panel, svg

COLOURS, RISING = "viridis_r", "viridis"
"""Darker is worse: of a number that is the better the smaller, and of one that is the better the larger it is."""
TINTS = ListedColormap(matplotlib.colormaps["plasma"](np.linspace(0.2, 0.85, 128)))
"""Dots of these colours stand out from light and dark paper."""

CELLS = 90
"""How many cells a surface has along each axis."""

FAR = 2.5
"""Bandwidths from the nearest trial, beyond which nothing is said."""

BLOCK = 2_000_000
"""Distances held at once."""


def surface(x: Axis, y: Axis, trials: Sequence[Trial], number: Number, name: str, *, rising: bool = False) -> str:
    """A number over two dimensions as colour, smoothed, or its mean for each cell of two lists.

    Every trial is a dot of its own colour, the best has a ring; failed trials are crosses, pruned ones small dots.
    `rising`: the largest is the best.
    """
    shown = shown_on(trials, number, x, y)
    values_N = np.array([number(t) for t in shown])
    places_N2 = np.stack([places(shown, x), places(shown, y)], 1)
    with panel(WIDTH, 1.12 * HEIGHT) as (figure, axes):
        axes.grid(False)
        for i, (which, axis) in enumerate((("x", x), ("y", y))):
            prepare(axes, which, axis, places_N2[:, i])
        (norm, is_clipped), colours = (_rising_norm(values_N), RISING) if rising else (_norm(values_N), COLOURS)
        if x.choices and y.choices:
            drawn = _cells(axes, (len(x.choices), len(y.choices)), places_N2, values_N, norm, colours)
        else:
            drawn = _smooth_surface(axes, (x, y), places_N2, values_N, norm, colours)
        for i, axis in enumerate((x, y)):
            places_N2[:, i] += spread(len(shown), i) if axis.choices else 0
        known = spots(shown, list(places_N2.T))
        for state, marker, size in (("PRUNED", ".", 18.0), ("FAILED", "x", 14.0)):
            ended = shown_on(trials, None, x, y, state=state)
            at = [places(ended, axis) for axis in (x, y)]
            dots(axes, at, size, marker=marker)
            known += spots(ended, at)
        many = len(shown) > MANY
        look = {"linewidths": 0.0} if many else {"linewidths": 0.4, "edgecolors": INK}
        dots(axes, list(places_N2.T), size_of(len(shown)), c=values_N, cmap=colours, norm=norm, zorder=3, **look)
        best = places_N2[np.argmax(values_N) if rising else np.argmin(values_N)]
        axes.plot(*best, "o", markersize=12, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.6)
        bar = colour_bar(figure, axes, drawn, extend=("min" if rising else "max") if is_clipped else "neither")
        if isinstance(norm, LogNorm):
            log_axis(bar.ax, "y")
        axes.set_title(in_picture(name))
        return svg(figure, f"{name} over {x.label} and {y.label}: {len(shown)} trials", known)


def curve(x: Axis, trials: Sequence[Trial], number: Number, name: str, *, colour: Axis | None = None) -> str:
    """A number against one dimension, a dot a trial, with the mean of those around; over a list, strips with medians.

    `colour`: another dimension, by which the dots are coloured.
    """
    shown = shown_on(trials, number, x, colour)
    places_N, values_N = places(shown, x), np.array([number(t) for t in shown])
    with panel() as (figure, axes):
        prepare(axes, "x", x, places_N)
        at = [places_N + (spread(len(shown)) if len(set(places_N)) < len(shown) and x.choices else 0), values_N]
        if colour is None:
            dots(axes, at, size_of(len(shown)), color=BEST, alpha=0.55, linewidths=0)
        else:
            tint_N = places(shown, colour)
            is_log = colour.is_log and tint_N.min() < tint_N.max()
            look = {"c": tint_N, "cmap": TINTS, "norm": LogNorm() if is_log else Normalize()}
            drawn = dots(axes, at, size_of(len(shown)), linewidths=0, **look)
            bar = colour_bar(figure, axes, drawn, label=in_picture(colour.label))
            if colour.choices:
                ticks, words = ticks_of(colour)
                bar.set_ticks(ticks, labels=words)
            elif is_log:
                log_axis(bar.ax, "y")
        _trend(axes, x, places_N, values_N)
        number_axis(axes, "y", values_N.tolist())
        axes.set_title(in_picture(name))
        return svg(figure, f"{name} against {x.label}: {len(shown)} trials", spots(shown, at))


def _smooth_surface(
    axes: Axes, both: tuple[Axis, Axis], places_N2: np.ndarray, values_N: np.ndarray, norm: Normalize, colours: str
) -> Any:
    grids = [_grid(axes, which, axis) for which, axis in zip("xy", both, strict=True)]
    unit_N2 = np.stack([_unit(places_N2[:, i], grids[i], both[i]) for i in range(2)], 1)
    u_GG, v_GG = np.meshgrid(*[np.linspace(0, 1, CELLS)] * 2)
    smoothed_G = _smooth(unit_N2, values_N, np.stack([u_GG.ravel(), v_GG.ravel()], 1), isinstance(norm, LogNorm))
    look: Any = {"cmap": colours, "norm": norm, "shading": "nearest", "alpha": 0.75, "rasterized": True}
    return axes.pcolormesh(*grids, smoothed_G.reshape(u_GG.shape), **look)


def _cells(
    axes: Axes, shape: tuple[int, int], places_N2: np.ndarray, values_N: np.ndarray, norm: Normalize, colours: str
) -> Any:
    columns, rows = shape
    cell_N = (places_N2[:, 1] * columns + places_N2[:, 0]).astype(int)
    counts = np.bincount(cell_N, minlength=rows * columns)
    sums = np.bincount(cell_N, values_N, minlength=rows * columns)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).reshape(rows, columns)
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    return axes.pcolormesh(*edges, means, cmap=colours, norm=norm, alpha=0.75)


def _trend(axes: Axes, x: Axis, places_N: np.ndarray, values_N: np.ndarray) -> None:
    """The mean around each place; over a list, the median of each value."""
    if x.choices:
        for place in np.unique(places_N):
            median = float(np.median(values_N[places_N == place]))
            axes.plot([place - 0.3, place + 0.3], [median, median], color=INK, linewidth=1.6)
        return
    if len(np.unique(places_N)) < 4:
        return
    grid_G = _grid(axes, "x", x)
    unit_N1, at_G1 = _unit(places_N, grid_G, x)[:, None], np.linspace(0, 1, CELLS)[:, None]
    smoothed_G = _smooth(unit_N1, values_N, at_G1, needs_log(values_N.tolist()))
    inside_G = (grid_G >= places_N.min()) & (grid_G <= places_N.max())
    axes.plot(grid_G[inside_G], smoothed_G[inside_G], color=INK, linewidth=1.6)


def _smooth(unit_ND: np.ndarray, values_N: np.ndarray, at_GD: np.ndarray, is_log: bool) -> np.ndarray:
    if is_log:
        return np.asarray(np.exp(smooth(unit_ND, np.log(values_N), at_GD)))
    return smooth(unit_ND, values_N, at_GD)


def _grid(axes: Axes, which: str, axis: Axis) -> np.ndarray:
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    return np.geomspace(low, high, CELLS) if axis.is_log else np.linspace(low, high, CELLS)


def _unit(places_N: np.ndarray, grid_G: np.ndarray, axis: Axis) -> np.ndarray:
    """The places on the picture's axis, as numbers from 0 at its lower end to 1 at its upper."""
    low, high = grid_G[0], grid_G[-1]
    if axis.is_log:
        return np.asarray(np.log(places_N / low) / math.log(high / low))
    return np.asarray((places_N - low) / (high - low))


def _norm(values_N: np.ndarray) -> tuple[Normalize, bool]:
    """Colours for the better nine tenths, or the few worst would take them all; whether any lies above."""
    low, top, high = float(values_N.min()), float(np.quantile(values_N, 0.9)), float(values_N.max())
    top = top if len(values_N) >= 20 and top > low else high
    if needs_log(values_N.tolist()):  # of all, or the few worst would darken every mean
        return LogNorm(low, top if top > low else high), top < high
    return Normalize(low, top if top > low else low + 1e-9), top < high


def _rising_norm(values_N: np.ndarray) -> tuple[Normalize, bool]:
    """The same where larger is better, on a scale that is not logarithmic; whether any lies below."""
    low, bottom, high = float(values_N.min()), float(np.quantile(values_N, 0.1)), float(values_N.max())
    bottom = bottom if len(values_N) >= 20 and bottom < high else low
    return Normalize(bottom, high if high > bottom else bottom + 1e-9), low < bottom


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
