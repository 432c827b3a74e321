"""The network by hand: its nine steps, its gradients, its dropout. NumPy alone: nothing can hide in the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_moons

from ridgeline_recipes.by_hand import reference
from ridgeline_recipes.by_hand.reference import Setting

BINARY = Setting(loss="binary_cross_entropy")
VARIANTS: dict[str, tuple[list[int], Setting]] = {
    "plain": ([20, 3], BINARY),
    "l2": ([20, 3], replace(BINARY, l2=0.7 / 100)),
    "dropout": ([20, 3], replace(BINARY, keep=[1.0, 0.86, 0.7])),
    "two-layer tanh": ([4], replace(BINARY, activation="tanh")),
}


def points(m: int = 100) -> tuple[reference.Array, reference.Labels]:
    x, y = make_moons(m, noise=0.1, random_state=1)
    return x, y.astype(np.int64)


def prepared(variant: str, m: int = 100, seed: int = 3) -> tuple[list[reference.Layer], Any, Any, Setting]:
    """Layers with biases that are not 0: there relu has its kink for a unit that gets nothing."""
    hidden, setting = VARIANTS[variant]
    x, y = points(m)
    rng = np.random.default_rng(seed)
    sizes = reference.layer_sizes(x, y, hidden, setting)
    layers = [(w, rng.normal(0, 0.1, b.shape)) for w, b in reference.initialize(sizes, seed)]
    if setting.keep is not None:
        setting = replace(setting, masks=reference.draw_masks(m, setting.keep, sizes, rng))
    return layers, x, y, setting


@pytest.mark.parametrize("variant", VARIANTS)
def test_backpropagation_equals_differences_of_the_cost_to_1e_7(variant: str) -> None:
    assert reference.gradient_check(*prepared(variant)) < 1e-7


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient_check_sees_a_gradient_that_is_wrong(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = reference.gradients
    monkeypatch.setattr(reference, "gradients", lambda *given: [(1.001 * d_w, d_b) for d_w, d_b in right(*given)])
    assert reference.gradient_check(*prepared(variant)) > 1e-5


def test_sizes_are_2_20_3_1() -> None:
    x, y = points()
    assert reference.layer_sizes(x, y, [20, 3], BINARY) == [2, 20, 3, 1]
    assert reference.layer_sizes(x, y, [20, 3], Setting()) == [2, 20, 3, 2]


def test_initial_weights_are_scaled_and_biases_0() -> None:
    for w, b in reference.initialize([400, 300, 1000], seed=0):
        assert w.var() == pytest.approx(2 / w.shape[0], rel=0.02)
        assert not b.any()


def test_cost_is_the_binary_cross_entropy_and_stays_finite_where_a_probability_rounds_to_1() -> None:
    layers, x, y, _ = prepared("plain")
    p = 1 / (1 + np.exp(-reference.scores(layers, x, BINARY)[0][:, 0]))
    by_definition = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    assert reference.objective(layers, x, y, BINARY) == pytest.approx(by_definition, rel=1e-12)
    far = [*layers[:-1], (layers[-1][0], np.array([900.0]))]
    assert reference.objective(far, x, y, BINARY) == pytest.approx(900 * (y == 0).mean(), rel=0.05)


def test_l2_term_is_lambda_over_m_halves_of_the_squares_and_its_gradient_lambda_over_m_times_w() -> None:
    layers, x, y, _ = prepared("plain")
    m, lambd = len(y), 0.7
    penalized = replace(BINARY, l2=lambd / m)
    squares = sum(np.square(w).sum() for w, _ in layers)
    difference = reference.objective(layers, x, y, penalized) - reference.objective(layers, x, y, BINARY)
    assert difference == pytest.approx((1 / m) * (lambd / 2) * squares, rel=1e-12)
    pairs = zip(reference.gradients(layers, x, y, penalized), reference.gradients(layers, x, y, BINARY), strict=True)
    for (w, _), ((with_l2, b_with), (without, b_without)) in zip(layers, pairs, strict=True):
        np.testing.assert_allclose(with_l2 - without, lambd / m * w, rtol=0, atol=1e-15)
        np.testing.assert_array_equal(b_with, b_without)


def test_two_layer_tanh_is_the_formula_with_examples_as_columns() -> None:
    """dZ2 = A2 - Y, dW2 = dZ2 A1^T / m, dZ1 = W2^T dZ2 * (1 - A1^2), dW1 = dZ1 X^T / m."""
    layers, x, y, setting = prepared("two-layer tanh")
    (w1, b1), (w2, b2) = ((w.T, b[:, None]) for w, b in layers)
    m = len(y)
    a1 = np.tanh(w1 @ x.T + b1)
    a2 = 1 / (1 + np.exp(-(w2 @ a1 + b2)))
    dz2 = a2 - y
    dz1 = w2.T @ dz2 * (1 - a1**2)
    (d_w1, d_b1), (d_w2, d_b2) = reference.gradients(layers, x, y, setting)
    np.testing.assert_allclose(d_w2, (dz2 @ a1.T / m).T, rtol=1e-12)
    np.testing.assert_allclose(d_w1, (dz1 @ x / m).T, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(d_b2, dz2.sum(axis=1) / m, rtol=1e-12)
    np.testing.assert_allclose(d_b1, dz1.sum(axis=1) / m, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
def test_inverted_dropout_keeps_the_expectation(keep: float) -> None:
    """Of what enters the second layer, over 20,000 masks: within four standard errors of what it is without."""
    n, a = 20_000, np.array([[1.0, 2.0, 3.0]])
    layers = [(np.eye(3), np.zeros(3)), (np.eye(3), np.zeros(3))]
    x = np.repeat(a, n, axis=0)
    masks = reference.draw_masks(n, [1.0, keep], [3, 3, 3], np.random.default_rng(0))
    dropped, _ = reference.scores(layers, x, Setting(masks=masks, keep=[1.0, keep]))
    assert set(np.unique((dropped / a).round(12))) == {0.0, round(1 / keep, 12)}
    np.testing.assert_array_less(np.abs(dropped.mean(axis=0) - a[0]), 4 * a[0] * np.sqrt((1 - keep) / keep / n))


def test_masks_are_kept_from_the_forward_to_the_backward_pass_and_nothing_is_dropped_in_prediction() -> None:
    layers, x, y, setting = prepared("dropout")
    assert setting.masks is not None
    always_dropped = [mask.copy() for mask in setting.masks]
    always_dropped[1][:, 5] = False
    grads = reference.gradients(layers, x, y, replace(setting, masks=always_dropped))
    assert not grads[0][0][:, 5].any()  # the weights into the unit
    assert not grads[1][0][5].any()  # and out of it
    assert grads[0][0][:, 4].any()
    plain = replace(setting, masks=None, keep=None)
    np.testing.assert_array_equal(reference.predict(layers, x, setting), reference.predict(layers, x, plain))


def test_cost_falls_at_every_step_with_dropout_off_and_the_network_learns() -> None:
    layers, x, y, _ = prepared("plain")
    trained, costs = reference.train(layers, x, y, BINARY, lr=0.05, steps=4000)
    assert (np.diff(costs) < 0).all()
    assert reference.accuracy(reference.predict(trained, x, BINARY), y) > 0.95
    rng, keep = np.random.default_rng(0), [1.0, 0.8, 0.9]
    masks = [reference.draw_masks(len(y), keep, [2, 20, 3, 1], rng) for _ in range(200)]
    _, noisy = reference.train(layers, x, y, replace(BINARY, keep=keep), lr=0.03, steps=200, masks=masks)
    assert (np.diff(noisy) > 0).any()


def test_train_repeats_forward_backward_and_update() -> None:
    layers, x, y, setting = prepared("l2")
    by_steps = layers
    for _ in range(3):
        by_steps = reference.update(by_steps, reference.gradients(by_steps, x, y, setting), 0.1)
    trained, costs = reference.train(layers, x, y, setting, lr=0.1, steps=3)
    assert costs[0] == reference.objective(layers, x, y, setting)
    for (w, b), (expected_w, expected_b) in zip(trained, by_steps, strict=True):
        np.testing.assert_array_equal(w, expected_w)
        np.testing.assert_array_equal(b, expected_b)
