"""Images as a screen shows them. C channels, H and W an image's sides."""

from __future__ import annotations

import numpy as np


def as_shown(pixels_CHW: np.ndarray, low: float, high: float) -> np.ndarray:
    """Bytes: (H, W, 3) of three channels, else (H, W), the mean of the channels. `low` is black and `high` white."""
    shown = pixels_CHW.transpose(1, 2, 0) if len(pixels_CHW) == 3 else pixels_CHW.mean(axis=0, dtype=np.float64)
    share = (shown.astype(np.float64) - low) / (high - low if high > low else 1)
    found: np.ndarray = (255 * share.clip(0, 1)).round().astype(np.uint8)
    return found
