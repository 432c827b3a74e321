"""An ordinary nn.Module becomes K fits: the same as plain copies of it, whichever way was chosen."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modules import LOOPED, SWAPPED, Images, Perceptron, Residual, Skipping
from ridgeline.config import ConfigError
from ridgeline.networks.stacking.network import StackedNetwork, Way
from ridgeline.networks.stacking.noise import Purpose, key
from ridgeline.networks.stacking.proof import choose, largest_difference
from ridgeline.networks.stacking.randomness import restored, seed_all
from ridgeline.networks.stacking.survey import survey

CPU = torch.device("cpu")
EVERY = [*SWAPPED, *LOOPED]


def examples(n: int = 16) -> Tensor:
    return torch.randn(n, 20, generator=torch.Generator().manual_seed(0))


def stacked(kind: type[nn.Module], k: int, way: Way | None = None) -> StackedNetwork:
    """In float64, fit after fit under the seeds 0, 1, 2 ..., without dropout."""
    x_B = examples()
    found = survey(kind, x_B, channels_last=True)
    chosen = way or choose(kind, found, x_B, CPU).way
    network = StackedNetwork(kind, found, k, x_B, chosen, dtype=torch.float64, device=CPU)
    for each in range(k):
        network.initialize(each, each)
    for dropout in network.dropouts:
        dropout.set_rates([0.0] * k)
    return network


def copy_of(kind: type[nn.Module], seed: int) -> nn.Module:
    """As its author's code makes it under a fit's seed, without dropout."""
    with restored():
        seed_all(key(seed, Purpose.INITIALIZATION))
        module = kind()
        module.eval()(examples())  # what is lazy gets its shapes
    for layer in module.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = 0.0
    return module.double().train()


@pytest.mark.parametrize("kind", SWAPPED)
def test_what_is_proved_equal_is_swapped(kind: type[nn.Module]) -> None:
    x_B = examples()
    choice = choose(kind, survey(kind, x_B, True), x_B, CPU)
    assert choice.way == "swapped"
    assert "equal to plain copies within" in choice.why


@pytest.mark.parametrize("kind", LOOPED)
def test_what_cannot_be_swapped_is_looped_and_says_why(kind: type[nn.Module]) -> None:
    x_B = examples()
    choice = choose(kind, survey(kind, x_B, True), x_B, CPU)
    assert choice.way == "looped"
    assert LOOPED[kind] in choice.why


@pytest.mark.parametrize("kind", [Images, *SWAPPED])
def test_swapped_is_equal_in_outputs_gradients_and_statistics(kind: type[nn.Module]) -> None:
    """With dropout, another rate in each fit."""
    difference, dtype = largest_difference(kind, survey(kind, examples(), True), examples(), CPU)
    assert difference < 1e-13
    assert dtype == torch.float64


@pytest.mark.parametrize("kind", EVERY)
def test_training_is_that_of_plain_copies(kind: type[nn.Module]) -> None:
    """Five steps of gradient descent; weights, buffers and predictions of each fit, named as in the `state_dict`."""
    network, copies = stacked(kind, 3), [copy_of(kind, seed) for seed in range(3)]
    x_KBI = torch.randn(3, 8, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for step in range(5):
        network.key_noise([0, 1, 2], [step] * 3)
        network.rows.differentiate(network(x_KBI).square().sum(dim=(1, 2)))
        network.rows.values_KP.sub_(network.rows.grads_KP, alpha=1e-3)
        for k, copy in enumerate(copies):
            copy.zero_grad()
            with restored():
                seed_all(key(k, Purpose.FORWARD, step))
                copy(x_KBI[k]).square().sum().backward()
            with torch.no_grad():
                for parameter in copy.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(parameter.grad, alpha=1e-3)
    predicted_KBO = network.eval()(x_KBI)
    for k, copy in enumerate(copies):
        for name, theirs in copy.state_dict().items():
            ours = network.state(k)[name].to(theirs.dtype)  # constants are as the author's code makes them
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(predicted_KBO[k], copy.eval()(x_KBI[k]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", EVERY)
def test_what_a_fit_has_of_its_own_is_what_its_module_loads(kind: type[nn.Module]) -> None:
    """Constants apart, which every fit's module has by itself."""
    network = stacked(kind, 2)
    module = copy_of(kind, seed=5)
    _, unexpected = module.load_state_dict(network.state(1), strict=False)
    own = copy_of(kind, seed=1).state_dict()
    assert not unexpected
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, own[name]), name
    other = stacked(kind, 2)
    other.load_state(0, network.state(1))
    assert all(torch.equal(tensor, network.state(1)[name]) for name, tensor in other.state(0).items())


@pytest.mark.parametrize("kind", [Perceptron, Residual, Skipping])
def test_a_neighbour_that_is_not_a_number_leaves_a_fit_as_it_is(kind: type[nn.Module]) -> None:
    x_KBI = torch.randn(2, 8, 20, dtype=torch.float64)
    ended = []
    for value in (1.0, float("nan")):
        network = stacked(kind, 2)
        network.rows.values_KP[0] = value
        network.key_noise([0, 1], [0, 0])
        network.rows.differentiate(network(x_KBI).sum(dim=(1, 2)))
        ended.append([network.rows.grads_KP[1].clone(), network.rows.state_KS[1].clone()])
    assert all(torch.equal(one, other) for one, other in zip(*ended, strict=True))


def test_the_process_draws_what_it_would_have_drawn() -> None:
    def drawn() -> tuple[float, float, float]:
        return torch.rand(1).item(), random.random(), float(np.random.rand())

    seed_all(3)
    expected = drawn()
    seed_all(3)
    network = stacked(Skipping, 2)
    network.key_noise([0, 1], [0, 0])
    network(torch.zeros(2, 8, 20, dtype=torch.float64))
    assert drawn() == expected


def test_weights_are_those_of_layers_by_unit_in_the_order_in_which_they_run() -> None:
    for way in ("looped", "swapped"):
        network = stacked(Images, 2, way)
        assert [weight.layer for weight in network.weights] == ["first", "second", "rows", "last"]
        assert [tuple(weight.value_KIO.shape[1:]) for weight in network.weights] == [(9, 4), (18, 6), (18, 4), (80, 3)]
        theirs = copy_of(Images, seed=1).second.weight.detach().flatten(1)
        norms = network.weights[1].value_KIO[1].norm(dim=0)
        torch.testing.assert_close(norms, theirs.norm(dim=1))
        network.weights[1].value_KIO.zero_()  # a view
        assert not network.state(1)["second.weight"].any()
        assert network.rows.n_weights == sum(weight.slot.size for weight in network.weights)


def test_an_authors_rate_is_kept_until_another_is_set() -> None:
    x_B = examples()
    network = StackedNetwork(Perceptron, survey(Perceptron, x_B, True), 2, x_B, "swapped", dtype=x_B.dtype, device=CPU)
    assert [dropout.rates for dropout in network.dropouts] == [[0.2, 0.2]]


def test_outputs_of_another_shape_are_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^`a network gives \(B, outputs\)` must hold, but got \(B, 4, 5\)\.$"):
        survey(lambda: nn.Unflatten(1, (4, 5)), examples(), True)
