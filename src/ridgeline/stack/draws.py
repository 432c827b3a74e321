"""Each fit's initial weights and its order of the examples, drawn from its own seed and epoch.

K fits, N examples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.networks.stacking.noise import KeyedNoise


class Draws:
    """Initial weights and orders of K fits."""

    def __init__(self, network: StackedNetwork, device: torch.device) -> None:
        self.noise = KeyedNoise(device)
        self._network = network
        self._device = device

    def load(self, k: int, seed: int) -> None:
        """Initial weights for fit `k`."""
        self._network.initialize(k, seed)

    def order_KN(self, seeds: Sequence[int], epochs: Sequence[int], n: int) -> Tensor:
        orders = [self.noise.order_N(seed, epoch, n) for seed, epoch in zip(seeds, epochs, strict=True)]
        if self._device.type == "cpu":
            return torch.stack(orders)
        # Half as much to copy, and in memory from which it is copied while the host goes on.
        order_KN = torch.empty(len(orders), n, dtype=torch.int32, pin_memory=self._device.type == "cuda")
        for own_N, order_N in zip(order_KN, orders, strict=True):
            own_N.copy_(order_N)
        return order_KN.to(self._device, non_blocking=True)
