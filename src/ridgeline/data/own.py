"""The examples that a function of the user's own gives: `data._target_=mine.load`.

N examples, I features; images of H rows and W columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ridgeline.checking import ConfigError, require
from ridgeline.config import DataConfig


def read_own(config: DataConfig) -> tuple[np.ndarray, np.ndarray, tuple[int, int] | None]:
    """Features (N, I) float32; targets (N,), in regression numbers, float64, otherwise the number of each example's
    class, int64, in the order of the sorted labels; and (H, W) where the function gives images (N, H, W).

    Raises ConfigError, one line, where the function fails or gives something else.
    """
    assert config.source is not None
    places = {name: getattr(config, name) for name in ("path", "test_path") if getattr(config, name) is not None}
    given = config.source.build(seed=config.seed, root=config.root, noise=config.noise, **places)
    x_NI, y_N = _pair(given, config.title)
    shape = (int(x_NI.shape[1]), int(x_NI.shape[2])) if x_NI.ndim == 3 else None
    return x_NI.reshape(len(x_NI), -1), y_N, shape


def takes(config: DataConfig, name: str) -> bool:
    """Whether the user's function has an argument of this name."""
    return config.source is not None and config.source.takes(name)


def _pair(given: Any, path: str) -> tuple[np.ndarray, np.ndarray]:
    def check(holds: bool, rule: str, found: object) -> None:
        require(holds, f"data._target_ gives {rule}", f"{path}()", found)

    is_pair = isinstance(given, (tuple, list)) and len(given) == 2
    check(is_pair, "(features, targets)", type(given).__name__)
    try:
        x, y = np.asarray(given[0], np.float32), np.asarray(given[1])
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"`data._target_ gives features that are numbers` must hold, but {path}() has {reason}."
        ) from None
    check(x.ndim in (2, 3), "features (N, I), or images (N, H, W)", f"shape {x.shape}")
    check(y.ndim == 1 and len(y) == len(x), f"a target for each of {len(x)} examples", f"shape {y.shape}")
    check(bool(np.isfinite(x).all()), "finite features", f"{np.count_nonzero(~np.isfinite(x))} that are not")
    if np.issubdtype(y.dtype, np.floating):
        check(bool(np.isfinite(y).all()), "finite targets", f"{np.count_nonzero(~np.isfinite(y))} that are not")
        return x, y.astype(np.float64)
    labels, numbers_N = np.unique(y, return_inverse=True)
    check(len(labels) > 1, "targets of two classes or more", f"{labels}")
    return x, numbers_N.astype(np.int64)
