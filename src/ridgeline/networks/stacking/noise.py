"""Keyed randomness: a fit's initialization, order and masks depend on its own seed and clock, never on its neighbours.

Every draw starts anew from `key(seed, purpose, clock)`. So a fit draws the same numbers alone and in any slot of any
stack, and a resumed fit the same as an uninterrupted one. Initialization and order are drawn on the CPU whatever the
device, so that fits on two devices can be compared; masks and noise are drawn on the device, and differ between CPU and
CUDA.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline.networks.stacking.splitmix import GAMMA, mixed, signed, words_KN


class Purpose(IntEnum):
    """What a draw is for; part of its key. Effects that came later have a `purpose_of` their own name."""

    INITIALIZATION = 1
    ORDER = 2
    MASK = 3
    INPUT_NOISE = 4
    AUGMENTATION = 5
    ERASING = 6
    MIXUP = 7
    WEIGHT_MASK = 8
    FORWARD = 9


def purpose_of(name: str) -> int:
    """What tells the draws of this name from all others."""
    return zlib.crc32(name.encode()) + 2**32


def key(*words: int) -> int:
    """A 64-bit hash of non-negative integers: SplitMix64's finalizer, chained."""
    state = 0
    for word in words:
        state = mixed(state + word + GAMMA)
    return state


class KeyedNoise:
    """Draws for one device. Its generators are used again and again; each method seeds one first."""

    def __init__(self, device: torch.device) -> None:
        self._cpu = torch.Generator()
        self._device = device
        self._cpu_bits = np.random.SFC64()
        self._cpu_numbers = np.random.Generator(self._cpu_bits)
        self._sfc64: Any = self._cpu_bits.state  # set anew for each row: three words of its key and a counter from 1
        self.is_counted = device.type != "cpu"
        self._keys: dict[int, tuple[list[int], Tensor]] = {}  # by purpose, of which seeds
        self._clock: tuple[list[int], Tensor] | None = None

    def set_clock(self, steps: Sequence[int], steps_K: Tensor) -> None:
        """The steps of all fits, and the same on the device, where they need no copy then."""
        self._clock = list(steps), steps_K

    def set_seeds(self, seeds: Sequence[int]) -> None:
        """Of all fits, before a step: the keys that it finds on the device are theirs."""
        for purpose in self._keys:
            self._keys_K(seeds, purpose)

    @property
    def keys(self) -> list[Tensor]:
        """On the device."""
        return [keys_K for _, keys_K in self._keys.values()]

    def order_N(self, seed: int, epoch: int, n: int) -> Tensor:
        """The order of `n` examples in a fit's own `epoch`, on the CPU."""
        return order_N_(self._cpu, seed, epoch, torch.empty(n, dtype=torch.int64))

    def bits_KN(
        self,
        seeds: Sequence[int],
        steps: Sequence[int],
        needed: Sequence[bool],
        n: int,
        purpose: int = Purpose.MASK,
    ) -> Tensor:
        """Random int64 words for each fit's own step; a row that is not `needed` holds anything.

        A longer row begins with the shorter one's words. The CPU draws row by row with SFC64 (Doty-Humphrey 2010) from
        hashed states, in an eighth of the counter's time there and half of that of torch's generator; elsewhere the
        counter draws all rows at once, where a row by itself would cost a launch.
        """
        if self.is_counted:
            return self._counted_KN(seeds, purpose, steps, n)
        bits_KN = np.empty((len(seeds), n), dtype=np.uint64)
        for bits_N, seed, step, is_needed in zip(bits_KN, seeds, steps, needed, strict=True):
            if is_needed:
                self._restart(key(seed, purpose, step))
                bits_N[:] = self._cpu_bits.random_raw(n)
        return torch.from_numpy(bits_KN.view(np.int64))

    def normals_KN(
        self,
        seeds: Sequence[int],
        steps: Sequence[int],
        needed: Sequence[bool],
        n: int,
        purpose: int = Purpose.INPUT_NOISE,
    ) -> Tensor:
        """Random float32 numbers of mean 0 and variance 1 for each fit's own step; finite in a row not `needed` too.

        Of the CPU's words NumPy makes normal numbers (ziggurat; Marsaglia, Tsang 2000), elsewhere `normals_of_words`.
        """
        if self.is_counted:
            return normals_of_words(self._counted_KN(seeds, purpose, steps, -(-n // 2)))[:, :n]
        normals_KN = np.zeros((len(seeds), n), dtype=np.float32)
        for normals_N, seed, step, is_needed in zip(normals_KN, seeds, steps, needed, strict=True):
            if is_needed:
                self._restart(key(seed, purpose, step))
                self._cpu_numbers.standard_normal(dtype=np.float32, out=normals_N)
        return torch.from_numpy(normals_KN)

    def betas_K(self, seeds: Sequence[int], steps: Sequence[int], alphas: Sequence[float]) -> list[float]:
        """A number of the Beta(alpha, alpha) distribution for each fit's own step, in [0, 1]; 1 where alpha is 0.

        NumPy draws it on the CPU whatever the device.
        """
        betas = []
        for seed, step, alpha in zip(seeds, steps, alphas, strict=True):
            self._restart(key(seed, Purpose.MIXUP, step))
            betas.append(self._cpu_numbers.beta(alpha, alpha) if alpha > 0 else 1.0)
        return betas

    def _restart(self, first: int) -> None:
        """Set the CPU's SFC64 to the state that a key's hash begins."""
        self._sfc64["state"]["state"][:] = (*(mixed(first + i * GAMMA) for i in (1, 2, 3)), 1)
        self._cpu_bits.state = self._sfc64

    def _counted_KN(self, seeds: Sequence[int], purpose: int, steps: Sequence[int], n: int) -> Tensor:
        keys_K, clock = self._keys_K(seeds, purpose), self._clock
        steps_K = clock[1] if clock is not None and clock[0] == list(steps) else self._moved(list(steps))
        return words_KN(keys_K, steps_K, n)

    def _keys_K(self, seeds: Sequence[int], purpose: int) -> Tensor:
        known, keys_K = self._keys.get(purpose, ([], None))
        if keys_K is None or known != list(seeds):
            fresh_K = self._moved([signed(key(seed, purpose)) for seed in seeds])
            stays = keys_K is not None and keys_K.shape == fresh_K.shape  # where a captured step finds it again
            keys_K = keys_K.copy_(fresh_K) if keys_K is not None and stays else fresh_K
            self._keys[purpose] = list(seeds), keys_K
        return keys_K

    def _moved(self, words: list[int]) -> Tensor:
        return torch.tensor(words, dtype=torch.int64).to(self._device, non_blocking=True)


def order_N_(generator: torch.Generator, seed: int, epoch: int, into_N: Tensor) -> Tensor:
    """The order of so many examples in a fit's own `epoch`, the same in integers of any size."""
    generator.manual_seed(key(seed, Purpose.ORDER, epoch))
    return torch.randperm(len(into_N), generator=generator, out=into_N)


def normals_of_words(words_KN: Tensor) -> Tensor:
    """Two normal float32 numbers of each random int64 word (Box, Muller 1958), none beyond 6: (K, 2 N)."""
    radius_words, angle_words = words_KN.view(torch.int32).float().mul_(2.0**-32).view(*words_KN.shape, 2).unbind(dim=2)
    radius_KN = (radius_words + 0.5).clamp_min_(2.0**-26).log_().mul_(-2).sqrt_()
    angle_KN = angle_words * (2 * math.pi)
    return torch.cat([radius_KN * angle_KN.cos(), radius_KN * angle_KN.sin()], dim=1)
