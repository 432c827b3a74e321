"""The network by hand, in NumPy alone: what the tests hold the engine against.

Nine steps, a function each: choose the sizes (`layer_sizes`), initialize (`initialize`), forward (`scores`), cost
(`objective`), backward (`gradients`), update (`update`), repeat (`train`), predict (`predict`), accuracy (`accuracy`);
and `gradient_check`, which holds backward against differences of the cost.

One fit, float64. x (B, I) a batch, W (I, O) and b (O,) a layer, B examples, C classes. Examples are rows; where they
are columns, as in many notes, each product here is the transposed one there. A mask has an entry for each unit that a
layer's input may lose: mask[0] for the features, mask[l] for hidden layer l.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Layer = tuple[Array, Array]
Masks = Sequence[NDArray[np.bool_]]


@dataclass(frozen=True)
class Setting:
    """What J depends on besides weights and data. `keep[l]` is 1 - rate of the units that enter layer l.

    `loss`: cross_entropy or hinge over C scores, or binary_cross_entropy over one, whose sigmoid is the probability of
    class 1. An L2 term written as (1 / m) * (lambd / 2) * sum W^2, of m examples, is `l2 = lambd / m`.
    `group_lasso` is of the columns of hidden layers' W, each norm times the root of the column's length.
    """

    activation: str = "relu"
    loss: str = "cross_entropy"
    l1: float = 0.0
    l2: float = 0.0
    group_lasso: float = 0.0
    masks: Masks | None = None
    keep: Sequence[float] | None = None


def layer_sizes(x: Array, y: Labels, hidden: Sequence[int], setting: Setting) -> list[int]:
    """From the features to the scores: one for two classes with binary_cross_entropy, else one a class."""
    n_scores = 1 if setting.loss == "binary_cross_entropy" else int(y.max()) + 1
    return [x.shape[1], *hidden, n_scores]


def initialize(sizes: Sequence[int], seed: int) -> list[Layer]:
    """Normal weights of variance 2 / fan_in, so that relu keeps the size of what goes through (He et al. 2015); biases
    0."""
    rng = np.random.default_rng(seed)
    pairs = pairwise(sizes)
    return [(rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)), np.zeros(n_out)) for n_in, n_out in pairs]


def draw_masks(batch: int, keep: Sequence[float], sizes: Sequence[int], rng: np.random.Generator) -> Masks:
    """D = rand < keep for the input of each layer: 1 where a unit is kept."""
    return [rng.random((batch, width)) < kept for width, kept in zip(sizes[:-1], keep, strict=True)]


def scores(layers: Sequence[Layer], x: Array, setting: Setting) -> tuple[Array, list[tuple[Array, Array]]]:
    """Forward: the scores, and for each layer what entered it and the pre-activation that came before."""
    cache = []
    z = x
    for index, (w, b) in enumerate(layers):
        a = x if index == 0 else _activate(z, setting.activation)
        a = _drop(a, index, setting)
        cache.append((a, z))
        z = a @ w + b
    return z, cache


def objective(layers: Sequence[Layer], x: Array, y: Labels, setting: Setting) -> float:
    """J = mean data loss + l1 * sum|W| + (l2 / 2) * sum W^2 + group lasso, weights only."""
    z, _ = scores(layers, x, setting)
    loss, _ = _data_loss(z, y, setting.loss)
    penalty = sum(setting.l1 * np.abs(w).sum() + setting.l2 / 2 * np.square(w).sum() for w, _ in layers)
    groups = sum(setting.group_lasso * np.sqrt(len(w)) * np.linalg.norm(w, axis=0).sum() for w, _ in layers[:-1])
    return float(loss + penalty + groups)


def gradients(layers: Sequence[Layer], x: Array, y: Labels, setting: Setting) -> list[Layer]:
    """dJ/dW and dJ/db of each layer, by backpropagation with the masks and scales of the forward pass."""
    z, cache = scores(layers, x, setting)
    _, d_out = _data_loss(z, y, setting.loss)
    grads: list[Layer] = []
    for index in reversed(range(len(layers))):
        w, _ = layers[index]
        a_in, pre_activation = cache[index]
        d_w = a_in.T @ d_out + setting.l1 * np.sign(w) + setting.l2 * w
        if setting.group_lasso and index < len(layers) - 1:
            d_w += setting.group_lasso * np.sqrt(len(w)) * w / np.linalg.norm(w, axis=0)
        grads.append((d_w, d_out.sum(axis=0)))
        if index > 0:
            d_in = _drop(d_out @ w.T, index, setting)
            d_out = d_in * _slope(pre_activation, setting.activation)
    return grads[::-1]


def update(layers: Sequence[Layer], grads: Sequence[Layer], lr: float) -> list[Layer]:
    """One step of gradient descent."""
    return [(w - lr * d_w, b - lr * d_b) for (w, b), (d_w, d_b) in zip(layers, grads, strict=True)]


def train(
    layers: Sequence[Layer],
    x: Array,
    y: Labels,
    setting: Setting,
    *,
    lr: float,
    steps: int,
    masks: Sequence[Masks] | None = None,
) -> tuple[list[Layer], list[float]]:
    """The layers after so many steps of full-batch gradient descent, and J before each. `masks`: those of each step."""
    layers, costs = list(layers), []
    for step in range(steps):
        now = setting if masks is None else replace(setting, masks=masks[step])
        costs.append(objective(layers, x, y, now))
        layers = update(layers, gradients(layers, x, y, now), lr)
    return layers, costs


def predict(layers: Sequence[Layer], x: Array, setting: Setting) -> Labels:
    """The class of the largest score; of one score, 1 where it is above 0. Nothing is dropped."""
    z, _ = scores(layers, x, replace(setting, masks=None))
    return (z[:, 0] > 0).astype(np.int64) if setting.loss == "binary_cross_entropy" else z.argmax(axis=1)


def accuracy(predicted: Labels, y: Labels) -> float:
    """The share that is right."""
    return float((predicted == y).mean())


def gradient_check(layers: Sequence[Layer], x: Array, y: Labels, setting: Setting, eps: float = 1e-5) -> float:
    """|numeric - exact| / (|numeric| + |exact|) over all parameters; numeric is (J(w + eps) - J(w - eps)) / (2 eps)."""
    exact = np.concatenate([part.ravel() for grad in gradients(layers, x, y, setting) for part in grad])
    numeric = []
    moved = [(w.copy(), b.copy()) for w, b in layers]
    for layer in moved:
        for values in layer:
            for at in np.ndindex(values.shape):
                before = values[at]
                values[at] = before + eps
                above = objective(moved, x, y, setting)
                values[at] = before - eps
                below = objective(moved, x, y, setting)
                values[at] = before
                numeric.append((above - below) / (2 * eps))
    return float(np.linalg.norm(numeric - exact) / (np.linalg.norm(numeric) + np.linalg.norm(exact)))


def _drop(a: Array, index: int, setting: Setting) -> Array:
    """Inverted dropout: A = A * D / keep."""
    if setting.masks is None or setting.keep is None:
        return a
    return a * setting.masks[index] / setting.keep[index]


def _data_loss(z: Array, y: Labels, loss: str) -> tuple[float, Array]:
    """Mean loss and its gradient by the scores."""
    n = len(y)
    rows = np.arange(n)
    if loss == "binary_cross_entropy":  # -y log(p) - (1 - y) log(1 - p) of p = sigmoid(z), where no p rounds to 0 or 1
        y_B1 = y[:, None]
        return float((np.logaddexp(0, z) - y_B1 * z).mean()), (_activate(z, "sigmoid") - y_B1) / n
    if loss == "cross_entropy":
        shifted = z - z.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        d_scores = np.exp(log_p)
        d_scores[rows, y] -= 1
        return float(-log_p[rows, y].mean()), d_scores / n
    margins = z - z[rows, y][:, None] + 1
    margins[rows, y] = 0
    violated = (margins > 0).astype(np.float64)
    violated[rows, y] = -violated.sum(axis=1)
    return float(np.maximum(margins, 0).sum(axis=1).mean()), violated / n


def _activate(z: Array, activation: str) -> Array:
    if activation == "relu":
        return np.maximum(z, 0)
    if activation == "tanh":
        return np.tanh(z)
    sigmoid: Array = 1 / (1 + np.exp(-z))
    return z * sigmoid if activation == "silu" else sigmoid


def _slope(z: Array, activation: str) -> Array:
    """The slope of the activation at z; for tanh 1 - A^2, for sigmoid A (1 - A), for silu A + sigmoid (1 - A)."""
    if activation == "relu":
        return (z > 0).astype(np.float64)
    a = _activate(z, activation)
    if activation == "silu":
        return a + _activate(z, "sigmoid") * (1 - a)
    return 1 - a**2 if activation == "tanh" else a * (1 - a)
