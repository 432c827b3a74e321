"""The network by hand, in NumPy alone: what the tests hold the engine against.

One fit, float64. x (B, I) a batch, W (I, O) and b (O,) a layer, B examples, C classes. A mask has an entry for each
unit that a layer's input may lose: mask[0] for the features, mask[l] for hidden layer l.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Layer = tuple[Array, Array]


@dataclass(frozen=True)
class Setting:
    """What J depends on besides weights and data. `keep[l]` is 1 - rate of the units that enter layer l."""

    activation: str = "relu"
    loss: str = "cross_entropy"
    l1: float = 0.0
    l2: float = 0.0
    masks: Sequence[NDArray[np.bool_]] | None = None
    keep: Sequence[float] | None = None


def objective(layers: Sequence[Layer], x: Array, y: NDArray[np.int64], setting: Setting) -> float:
    """J = mean data loss + l1 * sum|W| + (l2 / 2) * sum W^2, weights only."""
    scores, _ = _forward(layers, x, setting)
    loss, _ = _data_loss(scores, y, setting.loss)
    penalty = sum(setting.l1 * np.abs(w).sum() + setting.l2 / 2 * np.square(w).sum() for w, _ in layers)
    return float(loss + penalty)


def gradients(layers: Sequence[Layer], x: Array, y: NDArray[np.int64], setting: Setting) -> list[Layer]:
    """dJ/dW and dJ/db of each layer, by backpropagation with the masks and scales of the forward pass."""
    scores, cache = _forward(layers, x, setting)
    _, d_out = _data_loss(scores, y, setting.loss)
    grads: list[Layer] = []
    for index in reversed(range(len(layers))):
        w, _ = layers[index]
        a_in, pre_activation = cache[index]
        d_w = a_in.T @ d_out + setting.l1 * np.sign(w) + setting.l2 * w
        grads.append((d_w, d_out.sum(axis=0)))
        if index > 0:
            d_in = _drop(d_out @ w.T, index, setting)
            d_out = d_in * _slope(pre_activation, setting.activation)
    return grads[::-1]


def _forward(layers: Sequence[Layer], x: Array, setting: Setting) -> tuple[Array, list[tuple[Array, Array]]]:
    """The scores, and for each layer what entered it and the pre-activation that came before."""
    cache = []
    z = x
    for index, (w, b) in enumerate(layers):
        a = x if index == 0 else _activate(z, setting.activation)
        a = _drop(a, index, setting)
        cache.append((a, z))
        z = a @ w + b
    return z, cache


def _drop(a: Array, index: int, setting: Setting) -> Array:
    """Inverted dropout: A = A * D / keep."""
    if setting.masks is None or setting.keep is None:
        return a
    return a * setting.masks[index] / setting.keep[index]


def _data_loss(scores: Array, y: NDArray[np.int64], loss: str) -> tuple[float, Array]:
    """Mean loss and its gradient by the scores."""
    n = len(y)
    rows = np.arange(n)
    if loss == "cross_entropy":
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        d_scores = np.exp(log_p)
        d_scores[rows, y] -= 1
        return float(-log_p[rows, y].mean()), d_scores / n
    margins = scores - scores[rows, y][:, None] + 1
    margins[rows, y] = 0
    violated = (margins > 0).astype(np.float64)
    violated[rows, y] = -violated.sum(axis=1)
    return float(np.maximum(margins, 0).sum(axis=1).mean()), violated / n


def _activate(z: Array, activation: str) -> Array:
    if activation == "relu":
        return np.maximum(z, 0)
    return np.tanh(z) if activation == "tanh" else 1 / (1 + np.exp(-z))


def _slope(z: Array, activation: str) -> Array:
    if activation == "relu":
        return (z > 0).astype(np.float64)
    a = _activate(z, activation)
    return 1 - a**2 if activation == "tanh" else a * (1 - a)
