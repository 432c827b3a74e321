"""Images beside what augmentation makes of them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ridgeline.report.axes import DPI


def augmentation_figure(images_RMHW: np.ndarray) -> Figure:
    """A column an image: the image itself on top, below it a draw of augmentation a row. All on one grey scale."""
    n_rows, n_images = images_RMHW.shape[:2]
    figure = Figure(figsize=(max(8.0, n_images), 1.1 * n_rows + 0.5), dpi=DPI, layout="constrained")
    limits = {"vmin": float(images_RMHW[0].min()), "vmax": float(images_RMHW[0].max())}
    for row, axes_row in enumerate(figure.subplots(n_rows, n_images, squeeze=False)):
        for axes, image_HW in zip(axes_row, images_RMHW[row], strict=True):
            axes.imshow(image_HW, cmap="gray", **limits)
            axes.set(xticks=[], yticks=[])
        axes_row[0].set_ylabel("image" if row == 0 else f"draw {row}", fontsize="small")
    figure.suptitle("Training images and what augmentation makes of them", fontsize="medium")
    return figure
