"""Learning curves of several variants of a network in one picture, each the mean over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ridgeline import DPI, count_axis

History = Sequence[Mapping[str, float]]

COLOURS = ("#444444", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#e377c2")


def variants_figure(histories: Mapping[str, Sequence[History]], title: str) -> Figure:
    """Validation accuracy (left) and loss (right) after each epoch, counted from 1; a dot where the first seed ends.

    `histories`: by label, a history a seed. A mean is drawn as long as all seeds of the variant train; later variants
    have thinner lines, so that one is seen that lies on another.
    """
    figure = Figure(figsize=(11, 5), dpi=DPI, layout="constrained")
    kinds = (("val/error", "validation accuracy, %"), ("val/loss", "validation loss (mean data loss of an example)"))
    for axes, (key, label) in zip(figure.subplots(1, 2), kinds, strict=True):
        for i, (name, own) in enumerate(histories.items()):
            values = np.array([[row[key] for row in rows] for rows in zip(*own, strict=False)]).mean(axis=1)
            values = 100 * (1 - values) if key == "val/error" else values
            epochs = np.arange(1, len(values) + 1)
            colour = COLOURS[i % len(COLOURS)]
            axes.plot(epochs, values, color=colour, linewidth=max(1.0, 4.0 - 0.5 * i), label=name)
            axes.plot(epochs[-1], values[-1], "o", color=colour, markersize=5)
        axes.set(xlabel="epoch", ylabel=label)
        count_axis(axes)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize="small", loc="lower right")
    figure.suptitle(title, fontsize="medium")
    return figure
