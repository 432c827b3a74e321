"""Each fit's random numbers, put where its training needs them.

K fits, B batch, I inputs, N examples. `seeds`, `epochs` and `steps` are each fit's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.networks import MLP
from ridgeline.noise import KeyedNoise, Purpose


class Draws:
    """Initial weights, orders, masks of units and weights, and input noise of K fits."""

    def __init__(self, network: MLP, device: torch.device) -> None:
        self.noise = KeyedNoise(device)
        self._network = network
        self._device = device

    def load(self, k: int, configs: Sequence[Config]) -> None:
        """Initial weights for fit `k`; what the fits ask for from here on."""
        self._network.initialize(k, self.noise.initialization(configs[k].seed))
        self._input_noise = [config.regularization.input_noise for config in configs]
        self._input_noise_K11 = torch.tensor(self._input_noise, device=self._device).view(-1, 1, 1)

    def order_KN(self, seeds: Sequence[int], epochs: Sequence[int], n: int) -> Tensor:
        orders = [self.noise.order_N(seed, epoch, n) for seed, epoch in zip(seeds, epochs, strict=True)]
        return torch.stack(orders).to(self._device, non_blocking=True)

    def fill_masks(self, seeds: Sequence[int], steps: Sequence[int], batch: int) -> None:
        """Random bits for the layers that drop something: one row a fit, hidden layers first, the input last.

        A fit's bits are the same whichever layers its neighbours need: a longer row begins with the shorter one's bits.
        """
        layers = self._network.noisy_layers
        while layers and not layers[-1].is_on:
            layers.pop()
        total = sum(layer.width for layer in layers) * batch
        if total == 0:
            return
        needed = [any(layer.rates[k] > 0 for layer in layers) for k in range(len(seeds))]
        int16_KN = self.noise.bits_KN(seeds, steps, needed, -(-total // 4)).view(torch.int16)
        offset = 0
        for layer in layers:
            size = layer.width * batch
            layer.bits = int16_KN[:, offset : offset + size].view(-1, batch, layer.width)
            offset += size

    def fill_weight_masks(self, seeds: Sequence[int], steps: Sequence[int]) -> None:
        """Random bits for the weights that a step drops: one row a fit, layer after layer."""
        layers = self._network.weight_droppers
        if not any(layer.is_on for layer in layers):
            return
        needed = [any(layer.rates[k] > 0 for layer in layers) for k in range(len(seeds))]
        total = sum(layer.width for layer in layers)
        int16_KN = self.noise.bits_KN(seeds, steps, needed, -(-total // 4), Purpose.WEIGHT_MASK).view(torch.int16)
        pieces_KN = int16_KN[:, :total].split([layer.width for layer in layers], dim=1)
        for layer, linear, piece_KN in zip(layers, list(self._network.linears)[1:], pieces_KN, strict=True):
            layer.bits = piece_KN.view(linear.weight.shape)

    def add_input_noise_(self, x_KBI: Tensor, seeds: Sequence[int], steps: Sequence[int]) -> None:
        """Gaussian noise of each fit's own standard deviation."""
        if any(self._input_noise):
            needed = [std > 0 for std in self._input_noise]
            noise_KBI = self.noise.normals_KN(seeds, steps, needed, x_KBI[0].numel()).reshape(x_KBI.shape)
            x_KBI.add_(noise_KBI.mul_(self._input_noise_K11))
