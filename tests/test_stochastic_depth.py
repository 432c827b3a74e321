"""What `regularization.stochastic_depth` promises, on a residual network as a stranger would write it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ridgeline.config import Config, ConfigError, parse
from ridgeline.data import Splits
from ridgeline.regularizers import Batch
from ridgeline.regularizers.stochastic_depth import StochasticDepth
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.networks import check_network
from settings import SMALL, effect_of, small, tree
from test_promise_alone_equals_stacked import assert_same_bits

BLOCKS = 4


class DropPath(nn.Identity): ...


class Residual(nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int, width: int = 16, *, marked: bool = True) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(n_inputs, width), nn.Linear(width, n_outputs)
        self.branches = nn.ModuleList(nn.Linear(width, width) for _ in range(BLOCKS))
        self.paths = nn.ModuleList(DropPath() if marked else nn.Identity() for _ in range(BLOCKS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for branch, path in zip(self.branches, self.paths, strict=True):
            x = x + path(branch(x.relu()))
        return self.last(x)


def residual(rate: float, *, marked: bool = True, **others: Any) -> Config:
    values = {key: value for key, value in SMALL.items() if not key.startswith("network.")} | others
    values["network"] = {"_target_": "test_stochastic_depth.Residual", "marked": marked}
    return parse(tree({**values, "regularization.stochastic_depth": rate}))


def factors_LKB(stack: Stack, n: int) -> Tensor:
    effect, k = effect_of(stack, StochasticDepth), len(stack.configs)
    effect.on_batch(Batch(torch.zeros(k, n, 64), torch.zeros(k, n), stack.seeds, [7] * k))
    return effect._factors_LKB


def test_deeper_branches_are_left_out_more_often_and_the_mean_stays(digits: Splits) -> None:
    n, rates = 20_000, (0.5, 0.0, 0.8)
    stack = Stack([residual(rate, seed=seed) for seed, rate in enumerate(rates)], digits)
    drawn_LKB = factors_LKB(stack, n)
    for place, factors_KB in enumerate(drawn_LKB):
        expected = torch.tensor([rate * (place + 1) / BLOCKS for rate in rates])
        assert ((factors_KB == 0).float().mean(dim=1) - expected).abs().max() < 4 * 0.5 / n**0.5
        assert (factors_KB.mean(dim=1) - 1).abs().max() < 4 * 2 / n**0.5


def test_a_branch_that_is_left_out_adds_nothing(digits: Splits) -> None:
    """As the same network computes it by hand, with a factor for each branch and example."""
    stack = Stack([residual(0.0, seed=1), residual(0.9, seed=2)], digits)
    drawn_LKB, x_KBI = factors_LKB(stack, 50), digits.train.x_NI[:50].repeat(2, 1, 1)
    outputs_KBC = stack.network.train()(x_KBI)
    for k, outputs_BC in enumerate(outputs_KBC):
        module = Residual(64, 10)
        module.load_state_dict(stack.network.state(k))
        x = module.first(x_KBI[k])
        for branch, factors_KB in zip(module.branches, drawn_LKB, strict=True):
            x = x + branch(x.relu()) * factors_KB[k].unsqueeze(1)
        torch.testing.assert_close(outputs_BC, module.last(x))
        torch.testing.assert_close(stack.network.eval()(x_KBI)[k], module(x_KBI[k]))


def test_a_fit_ends_bitwise_the_same_beside_any_neighbour(digits: Splits) -> None:
    off, on = residual(0.0, seed=1), residual(0.5, seed=2)
    both = fit([off, on, residual(0.3, seed=3)], digits)
    assert_same_bits(fit([off, residual(0.0, seed=4)], digits)[0], both[0])
    assert_same_bits(fit([on, residual(0.0, seed=4)], digits)[0], both[1])
    assert both[1].history != fit([residual(0.0, seed=2), off], digits)[0].history


def test_a_network_without_residual_blocks_is_refused(digits: Splits) -> None:
    with pytest.raises(ConfigError, match=r"regularization\.stochastic_depth == 0 without residual blocks"):
        small(regularization__stochastic_depth=0.1)
    with pytest.raises(ConfigError, match="the network has layers of a class StochasticDepth or DropPath"):
        check_network(residual(0.1, marked=False))
    with pytest.raises(ConfigError, match="the network has layers of a class StochasticDepth or DropPath"):
        Stack([residual(0.1, marked=False)], digits)
