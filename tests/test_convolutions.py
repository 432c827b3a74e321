"""On a CPU convolutions get images and weights with their channels last, in which they take half of the time.

K fits, B batch, I values of an example.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from plain_training import train_plainly
from ridgeline.config import Config, parse
from ridgeline.data import load_splits
from ridgeline.networks.stacking.noise import Purpose, key
from ridgeline.networks.stacking.survey import survey
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from settings import SMALL, tree
from zoo import VGG


class Convolutions(TorchDispatchMode):
    """Which of the tensors of each convolution, forward and backward, have their channels last; while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.last: list[list[bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name in ("aten::convolution", "aten::convolution_backward"):
            images = [each for each in args if isinstance(each, torch.Tensor) and each.dim() == 4]
            self.last.append([each.is_contiguous(memory_format=torch.channels_last) for each in images])
        return func(*args, **(kwargs or {}))


def of_network(network: dict[str, Any], precision: str) -> Config:
    """On digits."""
    own = {"network": network, "data.standardize": "all", "trainer.precision": precision}
    return parse(tree({**{name: SMALL[name] for name in SMALL if not name.startswith("network")}, **own}))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(
    "network", [{"name": "cnn", "batch_norm": True}, {"_target_": "zoo.LeNet"}, {"_target_": "zoo.VGG"}]
)
def test_channels_are_last_from_the_batch_to_the_gradients(network: dict[str, Any], precision: str) -> None:
    config = of_network(network, precision)
    stack = Stack([config, config], load_splits(config.data)).train()
    stack.optimizers = lambda: stack.optimizer.torch_optimizer  # type: ignore[assignment,method-assign,return-value]
    with Convolutions() as seen:
        stack.training_step(next(iter(stack.train_dataloader())), 0)
    assert len(seen.last) >= 8  # of two fits at least two convolutions, forward and backward
    assert all(all(own) for own in seen.last), seen.last


class WritesIntoView(nn.Module):
    """Its flat rows are its images: what is written into the ones is seen in the others."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(input_shape[0], 4, 3, padding=1)
        self.head = nn.Linear(8 * math.prod(input_shape[1:]), n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        images = self.conv(x)
        rows = images.view(len(x), -1)
        rows[:, ::2] = 0.0
        return self.head(torch.cat([rows, images.flatten(1)], dim=1))


def test_a_network_that_writes_into_a_view_keeps_the_order_that_its_author_had() -> None:
    x_B = torch.randn(8, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    found = survey(lambda: WritesIntoView((1, 6, 6), 3), x_B, channels_last=True)
    assert not found.channels_last
    assert not found.copies_views
    viewed = survey(lambda: VGG((1, 8, 8), 3), torch.randn(8, 1, 8, 8), channels_last=True)
    assert viewed.channels_last
    assert viewed.copies_views


@pytest.mark.verify
def test_a_network_that_views_its_images_as_rows_takes_the_steps_of_plain_torch() -> None:
    config = of_network({"_target_": "zoo.VGG"}, "32-true")
    splits = load_splits(config.data)
    result = fit([replace(config, trainer=replace(config.trainer, max_epochs=1))] * 2, splits)[0]
    torch.manual_seed(key(config.seed, Purpose.INITIALIZATION))
    state = train_plainly(VGG((1, 8, 8), 10), config, splits, (1, 8, 8), -(-splits.train.n // 100))
    assert result.weights.keys() == state.keys()
    for name, expected in state.items():
        assert torch.allclose(result.weights[name], expected, atol=1e-4), name
