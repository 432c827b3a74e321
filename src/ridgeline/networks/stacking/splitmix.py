"""SplitMix64 (Steele, Lea, Flood 2014): word n of a stream is a hash of key + n * GAMMA, whatever came before it.

So the words of many streams are drawn at once, in any order, by the same few integer operations on any device.
K streams, N words.
"""

from __future__ import annotations

import torch
from torch import Tensor

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mixed(state: int) -> int:
    """The finalizer of 64 bits: each bit that comes out depends on all that went in."""
    state &= MASK
    state = ((state ^ (state >> 30)) * _FIRST) & MASK
    state = ((state ^ (state >> 27)) * _SECOND) & MASK
    return state ^ (state >> 31)


def words_KN(keys_K: Tensor, steps_K: Tensor, n: int) -> Tensor:
    """The first `n` int64 words of each stream's step: those from step * 2**32 on, so that no two steps share one.

    About 20 operations, however many streams; the host waits for none of them.
    """
    starts_K = keys_K + (steps_K << 32) * signed(GAMMA)
    words_KN = starts_K.unsqueeze(1) + torch.arange(1, n + 1, device=keys_K.device) * signed(GAMMA)
    words_KN = _folded_(words_KN, 30).mul_(signed(_FIRST))
    words_KN = _folded_(words_KN, 27).mul_(signed(_SECOND))
    return _folded_(words_KN, 31)


def signed(word: int) -> int:
    """The int64 of the same 64 bits: its sums and products wrap as those of the unsigned word do."""
    return word - 2**64 if word >= 2**63 else word


def _folded_(words_KN: Tensor, shift: int) -> Tensor:
    """words ^ (words >> shift), in place. torch shifts the sign in, SplitMix64 zeros: hence the mask."""
    return words_KN.bitwise_xor_((words_KN >> shift).bitwise_and_((1 << (64 - shift)) - 1))
