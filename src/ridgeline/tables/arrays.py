"""Examples in a file of NumPy's, as `ridgeline.search` writes images that lie in memory."""

from __future__ import annotations

import numpy as np


def load(path: str) -> tuple[np.ndarray, ...]:
    """Features and targets of a .npz file that has them as `x` and `y`; and `split`, if it has that."""
    with np.load(path, allow_pickle=False) as file:
        return tuple(file[name] for name in ("x", "y", "split") if name in file)
