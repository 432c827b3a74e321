"""What is shown of the test split: the images that the best network gets most wrong, or the plane of two features.

S seeds, N examples, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import Split, load_splits
from ridgeline.evaluation.arms import BEST, Arm, Measured
from ridgeline.stack.prediction import logits_KNC

CONFUSED, CONFUSED_AT_LEAST = 24, 4
GRID = 160
"""Points of each axis of a decision boundary."""


def pictures(arms: Mapping[str, Arm], measured: Mapping[str, Measured], test: Split) -> dict[str, dict[str, Tensor]]:
    """The tensors of each picture, by the name of its file. Which pictures there are depends on the data."""
    config, found = arms[BEST].config, dict[str, dict[str, Tensor]]()
    if config.predicted != "classification":
        return found
    if load_splits(config.data).image_shape is not None:
        found["examples"] = _confused(config, measured[BEST].predictions_SNC, test)
    if test.x_NI.shape[1] == 2 and load_splits(config.data).layout is None:  # whose encoded columns have no own units
        found["boundary"] = _boundary(arms, test)
    return found


def _confused(config: Config, probabilities_SNC: np.ndarray, test: Split) -> dict[str, Tensor]:
    """Test images that the best network gets wrong by its mean over seeds, those first whose true class it thinks least
    probable."""
    mean_NC, labels_N = probabilities_SNC.mean(axis=0), test.y_N.numpy()
    own_N = mean_NC[np.arange(len(labels_N)), labels_N]
    wrong_N = mean_NC.argmax(axis=1) != labels_N
    order_N = np.lexsort((own_N, ~wrong_N))  # where it gets few wrong, the least sure ones of the others follow
    chosen_M = torch.from_numpy(order_N[: max(CONFUSED_AT_LEAST, min(CONFUSED, int(wrong_N.sum())))].copy())
    splits = load_splits(config.data)
    assert splits.image_shape is not None
    return {
        "x_MI": splits.own_units(test.x_NI[chosen_M]),
        "label_M": test.y_N[chosen_M],
        "predicted_M": torch.from_numpy(mean_NC.argmax(axis=1))[chosen_M],
        "probability_M": torch.from_numpy(own_N.copy())[chosen_M],
        "image_shape": torch.tensor(splits.image_shape),
    }


def _boundary(arms: Mapping[str, Arm], test: Split) -> dict[str, Tensor]:
    """Mean probabilities over a plane of two features, in the data's own units."""
    splits = load_splits(arms[BEST].config.data)
    points_N2 = splits.own_units(test.x_NI)
    low, high = points_N2.min(dim=0).values, points_N2.max(dim=0).values
    margin = 0.15 * (high - low)
    x_G, y_G = (torch.linspace(float(low[i] - margin[i]), float(high[i] + margin[i]), GRID) for i in (0, 1))
    y_GG, x_GG = torch.meshgrid(y_G, x_G, indexing="ij")
    grid_N2 = torch.from_numpy(splits.scaler.apply(torch.stack([x_GG.flatten(), y_GG.flatten()], dim=1).numpy()))
    means = {
        f"{name}_GGC": logits_KNC(arm.config, [fit.weights for fit in arm.fits], grid_N2).softmax(dim=2).mean(dim=0)
        for name, arm in arms.items()
    }
    planes = {name: plane.view(GRID, GRID, -1) for name, plane in means.items()}
    return {"x_G": x_G, "y_G": y_G, **planes, "points_N2": points_N2, "labels_N": test.y_N}
