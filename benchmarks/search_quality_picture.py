"""The best value so far: samplers against trials, pruners against seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ridgeline.report.axes import DPI
from search_quality_table import value

COLOURS = {
    "random": "#7f7f7f",
    "sobol": "#9467bd",
    "tpe": "#1f77b4",
    "gp": "#2ca02c",
    "cmaes": "#ff7f0e",
    "median": "#2ca02c",
    "asha": "#d62728",
    "hyperband": "#9467bd",
    "patient": "#ff7f0e",
}
MARK = "#444444"
MOMENTS = 200
BEYOND = 1e3
"""Stands for no value yet: above the axes."""


def draw(report: Mapping[str, Any]) -> Figure:
    """Medians over seeds with interquartile bands."""
    figure = Figure(figsize=(10.5, 4.4), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    ways, settings = report["ways"], report["settings"]
    n_trials = len(ways["tpe"]["studies"][0]["seconds"])
    trials = np.arange(1, n_trials + 1)
    for key, way in ways.items():
        if way["is_sampler"]:
            curves = [[value(row, int(n)) for n in trials] for row in way["studies"]]
            _draw(left, key, way["title"], trials, curves)
    last = max(way["seconds"]["median"] for key, way in ways.items() if key == "tpe" or not way["is_sampler"])
    moments = np.linspace(0, last, MOMENTS)
    for key, way in ways.items():
        if key == "tpe" or not way["is_sampler"]:
            curves = [
                [value(row, int(np.sum(np.array(row["seconds"]) <= at))) for at in moments] for row in way["studies"]
            ]
            title = "no pruner" if key == "tpe" else key
            _draw(right, key, title, moments, curves, ends=way["seconds"]["median"])
    for axes in (left, right):
        axes.axhline(report["target"], color=MARK, linestyle="--", linewidth=1)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper right")
    left.annotate(
        f"random, after {n_trials}",
        (0.99, report["target"]),
        (0, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color=MARK,
    )
    lowest, highest = _limits(report)
    left.set_ylim(lowest, highest)
    left.set(title="samplers, no pruner", xlabel="trials that ended", ylabel="best val/loss so far")
    right.set(title="pruners, with TPE", xlabel="seconds since the first trial's start")
    right.tick_params(labelleft=True)
    for axes in (left, right):
        axes.title.set_fontsize("medium")
    figure.suptitle(
        f"{settings['data']}, {n_trials} trials of at most {settings['epochs']} epochs, "
        f"medians and quartiles of {settings['seeds']} seeds",
        fontsize="medium",
    )
    return figure


def _draw(
    axes: Axes, key: str, title: str, x: np.ndarray, curves: Sequence[Sequence[float]], ends: float | None = None
) -> None:
    """A median with its band; after the median study's end it is not drawn, for it would look like work."""
    finite = np.where(np.isfinite(curves), curves, BEYOND)
    low, middle, high = np.quantile(finite, (0.25, 0.5, 0.75), axis=0)
    shown = (middle < BEYOND / 10) & (x <= (math.inf if ends is None else ends))
    axes.fill_between(x[shown], low[shown], high[shown], color=COLOURS[key], alpha=0.12, linewidth=0, step="post")
    axes.step(x[shown], middle[shown], where="post", color=COLOURS[key], label=title, linewidth=1.6)
    if ends is not None and shown.any():
        axes.plot(x[shown][-1], middle[shown][-1], "o", color=COLOURS[key], markersize=4)


def _limits(report: Mapping[str, Any]) -> tuple[float, float]:
    """From below the best to what the first trials reach: where the ways differ."""
    rows = [row for way in report["ways"].values() for row in way["studies"]]
    ends = [value(row, len(row["seconds"])) for row in rows]
    early = [value(row, max(1, len(row["seconds"]) // 12)) for row in rows]
    finite = [v for v in early if math.isfinite(v)]
    return 0.98 * min(ends), max(1.02 * float(np.quantile(finite, 0.75)), 1.05 * max(ends))
