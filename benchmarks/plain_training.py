"""Any module trained as its author would: autograd, torch.optim, one trial. What it draws is keyed as a fit's of ours.

So the weights after some steps can be held against those of a stack. B examples in a batch, N examples, I inputs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.config import Config
from ridgeline.data import Splits
from ridgeline.networks.stacking.noise import KeyedNoise, Purpose, key

PENALIZED = (
    *(nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.Embedding, nn.EmbeddingBag),
    *(nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention),
)


def seed_generators(key: int) -> None:
    """The three that a module may draw from."""
    torch.manual_seed(key)
    random.seed(key)
    np.random.seed(key % 2**32)


class Bits:
    """A step's random bits of a fit, handed out to dropout layers in the order in which they run."""

    def __init__(self, seed: int) -> None:
        self._noise, self._seed = KeyedNoise(torch.device("cpu")), seed
        self.begin(0)

    def begin(self, step: int) -> None:
        self._step, self._used = step, 0

    def take(self, n: int) -> Tensor:
        begin, self._used = self._used, self._used + n
        (words,) = self._noise.bits_KN([self._seed], [self._step], [True], -(-self._used // 4))
        return words.view(torch.int16)[begin : self._used]


class KeyedDropout(nn.Module):
    """nn.Dropout with the bits of a fit: a unit is kept with probability 1 - p, and then divided by it."""

    def __init__(self, p: float, bits: Bits) -> None:
        super().__init__()
        self.p, self._bits = p, bits

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        is_kept = self._bits.take(x.numel()).int() < round((1 - self.p) * 65536) - 32768
        return x * is_kept.view(x.shape) / (1 - self.p)


def penalized(module: nn.Module) -> list[Tensor]:
    """The weights of layers that sum over what comes in; of a spectral norm, what it divides."""
    layers = dict(module.named_modules())
    found = []
    for name, parameter in module.named_parameters():
        path, _, own_name = name.rpartition(".")
        is_weight = isinstance(layers[path], PENALIZED) and own_name.startswith(("weight", "in_proj_weight"))
        is_weight &= own_name not in ("weight_g", "weight_v")
        if is_weight or name.endswith("parametrizations.weight.original"):
            found.append(parameter)
    return found


def batches(config: Config, n: int) -> Iterator[Tensor]:
    """Positions of examples, epoch after epoch, in the order that the seed keys."""
    noise, epoch = KeyedNoise(torch.device("cpu")), 0
    while True:
        yield from noise.order_N(config.seed, epoch, n).split(config.trainer.batch_size or n)
        epoch += 1


def train_plainly(
    module: nn.Module,
    config: Config,
    splits: Splits,
    shape: tuple[int, ...],
    n_steps: int,
    *,
    is_keyed: bool = True,
) -> dict[str, Tensor]:
    """The module's state after so many steps, from the weights that it has. `shape` is that of an example.

    Without `is_keyed` its dropout layers draw from torch's generator.
    """
    bits, rate = Bits(config.seed), config.regularization.dropout
    for name, layer in list(module.named_modules()):
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = layer.p if rate is None else rate
            if type(layer) is nn.Dropout and is_keyed:
                module.set_submodule(name, KeyedDropout(layer.p, bits))
    parameters = [p for p in module.parameters() if p.requires_grad]
    if config.optimizer.name == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(parameters, config.optimizer.lr, config.optimizer.momentum)
    else:
        optimizer = torch.optim.Adam(parameters, config.optimizer.lr)
    weights = penalized(module)
    module.train()
    for step, at_B in zip(range(n_steps), batches(config, len(splits.train.y_N)), strict=False):
        bits.begin(step)
        seed_generators(key(config.seed, Purpose.FORWARD, step))
        outputs = module(splits.train.x_NI[at_B].view(-1, *shape))
        penalty = sum(config.regularization.l2 / 2 * weight.square().sum() for weight in weights)
        optimizer.zero_grad()
        (F.cross_entropy(outputs, splits.train.y_N[at_B]) + penalty).backward()
        optimizer.step()
    return module.state_dict()
