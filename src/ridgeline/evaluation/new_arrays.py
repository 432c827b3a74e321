"""New examples in an array, as a model takes them: rows of features, of images one channel after the other.

N examples, I features.
"""

from __future__ import annotations

import numpy as np

from ridgeline.arrays.rows import as_rows
from ridgeline.checking import ConfigError, require
from ridgeline.stack.fitted import Fitted

UNIT = 2.0
"""Images whose pixels go from 0 to 1 deviate by less than this, whatever they are; those of bytes by more."""


def array_rows(fitted: Fitted, x: np.ndarray, key: str, place: str = "") -> np.ndarray:
    """(N, I) The rows of an array (N, I), or of one of images in either order of the axes.

    Raises ConfigError, one line that names `key`, for examples of another shape than those that trained, and for images
    on another scale. `place`: where the array lies, as the error has it.
    """
    found = f"{place}{x.dtype} of shape {x.shape}"
    if fitted.config.model is not None:  # a module takes its examples as they are
        rows_NI, image = x.reshape(len(x), -1) if x.ndim > 1 else np.empty((0, 0)), None
    else:
        rows_NI, image = as_rows(x) if x.ndim in (2, 3, 4) else (np.empty((0, 0)), None)
    expected = fitted.shape.image
    fits = rows_NI.shape[1] == fitted.n_features and (image is None or image == expected)
    rule = f"examples of shape {expected or (fitted.n_features,)} for this model"
    require(fits and x.dtype.kind in "buif", rule, key, found)
    if expected is not None and fitted.config.model is None and len(x):
        _require_scale(fitted, x, key, found)
    return rows_NI


def _require_scale(fitted: Fitted, x: np.ndarray, key: str, found: str) -> None:
    """Raise ConfigError for images from 0 to 1 where those that trained go to 255, or the other way round."""
    least, most = float(x.min()), float(x.max())
    mean_I, std_I = fitted.scaler.mean_I, fitted.scaler.std_I
    is_unit = x.dtype.kind == "f" and least >= 0 and 0 < most <= 1
    trained_on_unit = mean_I.min() >= 0 and mean_I.max() <= 1 and std_I.max() <= 1
    cure = ""
    if is_unit and std_I.max() > UNIT:
        cure = f"they deviate by {std_I.max():.4g}: x * 255, say"
    elif trained_on_unit and x.dtype.kind in "ui" and most > UNIT:
        cure = f"their mean is {mean_I.mean():.4g}: x / 255, say"
    if cure:
        rule = "images are on the scale of those that trained"
        raise ConfigError(f"`{rule}` must hold, for {cure}, but got {key}={found} from {least:.4g} to {most:.4g}.")
