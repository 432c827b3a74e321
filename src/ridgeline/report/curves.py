"""The curves of one fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ridgeline.report.axes import DPI, make_log, needs_log

TRAIN, VALIDATION, MARK = "#1f77b4", "#d62728", "#444444"


def curve_figure(
    history: Sequence[Mapping[str, float]], best_epoch: int | None = None, title: str | None = None
) -> Figure:
    """Loss (left) and error (right) of the train and the validation part by epoch, the gap between them as a band.

    `best_epoch`: the one whose weights were restored; None: the lowest validation loss. NaN leaves a hole.
    """
    figure = Figure(figsize=(9, 3.8), dpi=DPI, layout="constrained")
    epochs = [row["epoch"] for row in history]
    if best_epoch is None:
        known = [row for row in history if math.isfinite(row.get("val/loss", math.nan))]
        best_epoch = int(min(known, key=lambda row: row["val/loss"])["epoch"]) if known else None
    kinds = (("loss", 1.0, "loss (mean data loss of an example)"), ("error", 100.0, "error (% of examples)"))
    for axes, (kind, scale, label) in zip(figure.subplots(1, 2), kinds, strict=True):
        train, validation = (
            [scale * row.get(f"{part}/{kind}", math.nan) for row in history] for part in ("train", "val")
        )
        axes.fill_between(epochs, train, validation, color=VALIDATION, alpha=0.12, linewidth=0, label="gap")
        # Points too where a line alone would be hard to see: few epochs.
        marker = "o" if len(epochs) <= 15 else None
        axes.plot(epochs, train, color=TRAIN, marker=marker, markersize=3, label="train")
        axes.plot(epochs, validation, color=VALIDATION, marker=marker, markersize=3, label="validation")
        if best_epoch is not None:
            axes.axvline(best_epoch, color=MARK, linestyle="--", linewidth=1, label=f"restored: epoch {best_epoch}")
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        if kind == "loss" and needs_log(train + validation):
            make_log(axes)
        elif np.isfinite(train + validation).any():
            axes.set_ylim(bottom=0)
        else:
            axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center")
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.suptitle(title or "Training and validation", fontsize="medium")
    return figure
