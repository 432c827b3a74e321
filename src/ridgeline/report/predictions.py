"""Pictures of what networks predict for unseen examples: which class for which, how often, and how sure; in regression,
which number for which.

C classes, B bins of confidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from ridgeline.report.axes import number_axis
from ridgeline.report.facts import Predicted, PredictedNumbers
from ridgeline.report.notation import in_picture, percent
from ridgeline.report.vector import BY_NETWORK, FAINT, GRID, HEIGHT, INK, MANY, WIDTH, panel, svg

WITH_NUMBERS = 12
"""Classes, of which a matrix has room for a number in each cell."""

LABELS = 20
BESIDE = 40
"""Letters of all labels together that have room below a picture."""

WRONG = LinearSegmentedColormap.from_list("wrong", [(0.71, 0.14, 0.09, 0.0), (0.71, 0.14, 0.09, 0.85)])
"""Transparent where nothing is wrong, so that it suits light and dark paper."""

MARKERS = {"best": "o", "baseline": "s"}


def predictions(seen: Predicted) -> list[str]:
    matrices = [_matrix(seen, name) for name in seen.confusion_CC]
    return [*matrices, _errors(seen), _reliability(seen.bins_B3)]


def numbers(seen: PredictedNumbers) -> list[str]:
    """What is predicted against what is true, and how far it is off."""
    return [*(_against(seen, name) for name in seen.predicted_N), _off(seen)]


def mistakes(seen: Predicted, most: int = 3) -> list[str]:
    """The most frequent ones of the best network, in notation."""
    confusion_CC = np.nan_to_num(seen.confusion_CC["best"] * (1 - np.eye(len(seen.classes))))
    order = np.argsort(-confusion_CC, axis=None, kind="stable")[:most]
    found = []
    for i, j in zip(*np.unravel_index(order, confusion_CC.shape), strict=True):
        if confusion_CC[i, j] > 0:
            share = percent(float(confusion_CC[i, j]), 1)
            found.append(f"{seen.classes[i]} taken for {seen.classes[j]} ({share} of class {seen.classes[i]})")
    return found


def _matrix(seen: Predicted, name: str) -> str:
    """A row a class: the share of its examples taken for each. Right ones are grey, so that wrong ones stand out."""
    shares_CC = 100 * seen.confusion_CC[name]
    n = len(shares_CC)
    is_right_CC = np.eye(n, dtype=bool)
    wrong_CC = np.where(is_right_CC, np.nan, shares_CC)
    worst = max(float(np.nan_to_num(own)[~is_right_CC].max()) for own in seen.confusion_CC.values())
    with panel(WIDTH, 1.15 * HEIGHT) as (figure, axes):
        axes.grid(False)
        axes.pcolormesh(wrong_CC, cmap=WRONG, vmin=0, vmax=max(100 * worst, 1e-9), rasterized=n > 30)
        axes.pcolormesh(np.where(is_right_CC, 1.0, np.nan), cmap=_one(GRID), rasterized=n > 30)
        if n <= WITH_NUMBERS:
            for i, j in np.ndindex(n, n):
                share = shares_CC[i, j]
                if share > 0:
                    text = f"{share:.0f}" if share >= 0.95 else f"{share:.1f}" if share >= 0.05 else "·"
                    axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=8.5, color=INK)
        step = math.ceil(n / LABELS)
        at = np.arange(0, n, step)
        names = [in_picture(seen.classes[int(i)]) for i in at]
        axes.set_xticks(at + 0.5, names, **_turned(names))
        axes.set_yticks(at + 0.5, names)
        axes.tick_params(length=0)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        axes.set(xlabel="taken for", ylabel="is")
        axes.set_title(f"{name}: of 100 of a class (row), how many")
        return svg(figure, f"confusion matrix of the {name} network, in percent of each class")


def _turned(names: Sequence[str]) -> dict[str, Any]:
    """How the labels below a picture are set, where side by side they would run into each other."""
    return {"rotation": 35, "ha": "right"} if sum(map(len, names)) > BESIDE else {}


def _errors(seen: Predicted) -> str:
    """The share of each class that is taken for another, with its 95% interval where there is one."""
    n = len(seen.classes)
    with panel(WIDTH, 1.15 * HEIGHT) as (figure, axes):
        for i, (name, error_C3) in enumerate(seen.error_C3.items()):
            at = np.arange(n) + (0.24 * i - 0.12 * (len(seen.error_C3) - 1))
            mean_C, low_C, high_C = 100 * error_C3.T
            axes.vlines(at, low_C, high_C, color=BY_NETWORK[name], linewidth=1.2, alpha=0.6)
            axes.plot(at, mean_C, MARKERS[name], color=BY_NETWORK[name], markersize=4.5, label=name)
        shown = np.arange(0, n, math.ceil(n / LABELS))
        names = [in_picture(seen.classes[int(i)]) for i in shown]
        axes.set_xticks(shown, names, **_turned(names))
        axes.set_ylim(0, 1.2 * axes.get_ylim()[1])  # room for the legend
        number_axis(axes, "y")
        axes.set(xlabel="class")
        axes.set_title("Error by class, %")
        axes.grid(axis="x", visible=False)
        if len(seen.error_C3) > 1:
            axes.legend(ncols=2, loc="upper right")
        intervals = " with 95% intervals" if seen.by is not None else ""
        return svg(figure, f"error of each class{intervals}, of {' and '.join(seen.error_C3)}")


def _reliability(bins_B3: Mapping[str, np.ndarray]) -> str:
    """How often a prediction is right by how sure it is. A dot is a bin; its area, how many predictions are in it."""
    with panel(WIDTH, 1.15 * HEIGHT) as (figure, axes):
        axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle="--", label="as sure as right")
        for name, found_B3 in bins_B3.items():
            confidence_B, accuracy_B, count_B = found_B3[found_B3[:, 2] > 0].T
            size_B = 10 + 140 * count_B / count_B.sum()
            look: Any = {"marker": MARKERS[name], "alpha": 0.7, "linewidths": 0}
            axes.scatter(100 * confidence_B, 100 * accuracy_B, size_B, BY_NETWORK[name], label=name, **look)
        axes.set(xlabel="how sure: probability of the likeliest class, %", xlim=(0, 103), ylim=(0, 104))
        axes.set_title("How often it is right, %")
        for handle in axes.legend(loc="upper left").legend_handles[1:]:
            handle.set_sizes([30])  # type: ignore[union-attr]
        return svg(figure, f"reliability diagram of {' and '.join(bins_B3)}")


def _against(seen: PredictedNumbers, name: str) -> str:
    """A dot an example; on the dashed line it is met."""
    every = np.concatenate([seen.targets_N, *seen.predicted_N.values()])
    low, high = float(every.min()), float(every.max())
    with panel(WIDTH, 1.15 * HEIGHT) as (figure, axes):
        axes.plot([low, high], [low, high], color=FAINT, linewidth=1, linestyle="--")
        look: Any = {"marker": MARKERS[name], "alpha": 0.6, "linewidths": 0, "rasterized": len(seen.targets_N) > MANY}
        axes.scatter(seen.targets_N, seen.predicted_N[name], 14, BY_NETWORK[name], **look)
        number_axis(axes, "x")
        number_axis(axes, "y")
        axes.set_aspect("equal")
        axes.set(xlabel="target")
        axes.set_title(f"{name}: prediction, the mean over seeds")
        return svg(figure, f"predictions of the {name} network against the targets of {len(seen.targets_N)} examples")


def _off(seen: PredictedNumbers) -> str:
    """How many examples are off by how much."""
    errors = {name: own_N - seen.targets_N for name, own_N in seen.predicted_N.items()}
    reach = max(float(np.abs(own_N).max()) for own_N in errors.values()) or 1.0
    edges = np.linspace(-reach, reach, 32)
    with panel(WIDTH, 1.15 * HEIGHT) as (figure, axes):
        for name, own_N in errors.items():
            counts, _ = np.histogram(own_N, edges)
            axes.stairs(counts, edges, color=BY_NETWORK[name], linewidth=1.4, label=name)
            axes.stairs(counts, edges, color=BY_NETWORK[name], alpha=0.15, fill=True)
        number_axis(axes, "x")
        axes.set(xlabel="prediction less target", title="Errors, how many of each size")
        axes.legend()
        return svg(figure, f"histogram of the errors of {' and '.join(errors)}")


def _one(colour: str) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("one", [colour, colour])
