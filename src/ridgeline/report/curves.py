"""Pictures of one fit, as pixels for MLflow and job folders: its curves, and what augmentation makes of its images.

R rows, M images of C channels and H by W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ridgeline.report.axes import DPI, count_axis, log_axis, needs_log
from ridgeline.report.pairs import Pair, logged, measured
from ridgeline.report.pixels import as_shown

LABELS = {
    "loss": (1.0, "loss (mean data loss of an example)"),
    "error": (100.0, "error (% of examples)"),
    "balanced_error": (100.0, "error (%, mean over the classes)"),
    "rmse": (1.0, "RMSE (in the target's unit)"),
    "mae": (1.0, "MAE (in the target's unit)"),
}
"""What a figure is multiplied by, and its axis' label."""

TRAIN, VALIDATION, MARK = "#1f77b4", "#d62728", "#444444"


def curve_figure(
    history: Sequence[Mapping[str, float]],
    best_epoch: int | None = None,
    title: str | None = None,
    metric: str = "val/loss",
    *,
    of_module: bool = False,
) -> Figure:
    """Loss and error (in regression RMSE) of the train and the validation split by epoch, the gap between them as
    a band; then what else the metric is.

    `best_epoch`: the one whose weights were restored; None: the lowest validation loss. NaN leaves a hole. `of_module`:
    the numbers are those that a module of the user's own logs.
    """
    pairs = _of_module(history, metric) if of_module else _of_ours(history, metric)
    figure = Figure(figsize=(4.5 * len(pairs), 3.8), dpi=DPI, layout="constrained")
    epochs = [row["epoch"] for row in history]
    if best_epoch is None:
        known = [row for row in history if math.isfinite(row.get("val/loss", math.nan))]
        best_epoch = int(min(known, key=lambda row: row["val/loss"])["epoch"]) if known else None
    for axes, pair in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        scale, label = LABELS.get(pair.kind, (1.0, pair.kind))
        train, validation = (
            [scale * row.get(name, math.nan) for row in history] for name in (pair.train, pair.validation)
        )
        axes.fill_between(epochs, train, validation, color=VALIDATION, alpha=0.12, linewidth=0, label="gap")
        # Points too where a line alone would be hard to see: few epochs.
        marker = "o" if len(epochs) <= 15 else None
        if pair.train:
            axes.plot(epochs, train, color=TRAIN, marker=marker, markersize=3, label="train")
        axes.plot(epochs, validation, color=VALIDATION, marker=marker, markersize=3, label="validation")
        if best_epoch is not None:
            axes.axvline(best_epoch, color=MARK, linestyle="--", linewidth=1, label=f"restored: epoch {best_epoch}")
        axes.set(xlabel="epoch", ylabel=label)
        count_axis(axes)
        if pair.kind.endswith("loss") and needs_log(train + validation):
            log_axis(axes, "y")
        elif np.isfinite(train + validation).any():
            axes.set_ylim(bottom=min(0, *(value for value in train + validation if math.isfinite(value))))
        else:
            axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center")
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.suptitle(title or "Training and validation", fontsize="medium")
    return figure


def _of_ours(history: Sequence[Mapping[str, float]], metric: str) -> list[Pair]:
    return measured(("loss", "rmse" if "val/rmse" in history[0] else "error", metric.split("/")[-1]))


def _of_module(history: Sequence[Mapping[str, float]], metric: str) -> list[Pair]:
    return logged(dict.fromkeys(name for row in history for name in row), metric)


def augmentation_figure(images_RMCHW: np.ndarray) -> Figure:
    """A column an image: the image itself on top, below it a draw of augmentation a row. All on one scale."""
    n_rows, n_images = images_RMCHW.shape[:2]
    figure = Figure(figsize=(max(8.0, n_images), 1.1 * n_rows + 0.5), dpi=DPI, layout="constrained")
    low, high = float(images_RMCHW[0].min()), float(images_RMCHW[0].max())
    for row, axes_row in enumerate(figure.subplots(n_rows, n_images, squeeze=False)):
        for axes, image_CHW in zip(axes_row, images_RMCHW[row], strict=True):
            axes.imshow(as_shown(image_CHW, low, high), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
        axes_row[0].set_ylabel("image" if row == 0 else f"draw {row}", fontsize="small")
    figure.suptitle("Training images and what augmentation makes of them", fontsize="medium")
    return figure
