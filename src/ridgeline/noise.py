"""Keyed randomness: a fit's initialization, order and masks depend on its own seed and clock, never on its neighbours.

Every draw starts from a generator that is seeded anew with `key(seed, purpose, clock)`. So a fit draws the same
numbers alone and in any slot of any stack, and a resumed fit the same as an uninterrupted one. Numbers are equal within
a device type; CUDA's generator draws others than the CPU's.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

_MASK = 2**64 - 1


class Purpose(IntEnum):
    """What a draw is for; part of its key."""

    INITIALIZATION = 1
    ORDER = 2
    MASK = 3


def key(*words: int) -> int:
    """A 64-bit hash of non-negative integers: splitmix64's finalizer (Steele, Lea, Flood 2014), chained."""
    state = 0
    for word in words:
        state = (state + word + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


class KeyedNoise:
    """Draws for one device. Reuses one generator object; each method seeds it first."""

    def __init__(self, device: torch.device) -> None:
        self._cpu = torch.Generator()
        self._device = torch.Generator(device) if device.type != "cpu" else self._cpu

    def initialization(self, seed: int) -> torch.Generator:
        """The generator that a fit's weights are drawn from, on the CPU, layer after layer."""
        return self._cpu.manual_seed(key(seed, Purpose.INITIALIZATION))

    def order_N(self, seed: int, epoch: int, n: int) -> Tensor:
        """The order of `n` examples in a fit's own `epoch`, on the CPU."""
        return torch.randperm(n, generator=self._cpu.manual_seed(key(seed, Purpose.ORDER, epoch)))

    def fill_bits_(self, bits_N: Tensor, seed: int, step: int) -> None:
        """Fill an int64 row with random bits for a fit's own `step`. A shorter row gets the same first bits."""
        bits_N.random_(-(2**63), None, generator=self._device.manual_seed(key(seed, Purpose.MASK, step)))
