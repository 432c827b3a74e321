"""Two estimates with their 95% intervals, and their difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.report.vector import BEST, FAINT, INK, PLAIN, WIDTH, number_axis, panel, svg
from ridgeline.report.words import MINUS


def error_intervals(arms: Mapping[str, Any]) -> str:
    """The test error of the plain and the best network."""
    with panel(WIDTH, 1.5) as (figure, axes):
        for height, (name, colour) in enumerate((("best", BEST), ("plain", PLAIN))):
            _interval(axes, height, arms[name]["test"]["error"], colour)
        axes.set(ylim=(-0.6, 1.6), title="Test error, %")
        axes.set_yticks([0, 1], ["best", "plain"])
        return _finished(figure, axes, "test error of the best and the plain network with 95% intervals")


def difference_interval(difference: Mapping[str, Any]) -> str:
    """The error of the best minus that of the plain network."""
    with panel(WIDTH, 1.5) as (figure, axes):
        axes.axvline(0, color=FAINT, linewidth=1, linestyle="--")
        _interval(axes, 0, difference["error"], INK)
        axes.set(ylim=(-0.8, 0.8), title=f"Difference of the errors, best {MINUS} plain, in points of %")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        return _finished(figure, axes, "difference of the test errors with its 95% interval")


def _interval(axes: Any, height: float, estimate: Mapping[str, float], colour: str) -> None:
    low, mean, high = (100 * estimate[name] for name in ("low", "mean", "high"))
    axes.plot([low, high], [height, height], color=colour, linewidth=3, solid_capstyle="round")
    axes.plot(mean, height, "o", color=colour, markersize=7)
    words = f"{mean:.2f}".replace("-", MINUS)
    axes.annotate(words, (mean, height), (0, 7), textcoords="offset points", ha="center", color=INK)


def _finished(figure: Any, axes: Any, description: str) -> str:
    axes.grid(axis="y", visible=False)
    axes.tick_params("y", length=0)
    axes.margins(x=0.15)
    number_axis(axes, "x")
    return svg(figure, description)
