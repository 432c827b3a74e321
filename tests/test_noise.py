"""What keyed randomness promises: known numbers, rows that depend on seed and step alone, bits as fair as they seem."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from operations import Operations
from ridgeline.networks.stacking.noise import KeyedNoise, Purpose, key
from ridgeline.networks.stacking.splitmix import mixed, signed, words_KN

KNOWN = {
    0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC],
    1234567: [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431],
}
"""The first outputs of the authors' splitmix64.c from these states."""


def counted_KN(seeds: list[int], steps: list[int], n: int) -> Tensor:
    """What a device other than the CPU draws, here on the CPU."""
    keys_K = torch.tensor([signed(key(seed, Purpose.MASK)) for seed in seeds])
    return words_KN(keys_K, torch.tensor(steps), n)


def test_counter_gives_splitmix64s_known_numbers() -> None:
    words = words_KN(torch.tensor(list(KNOWN)), torch.tensor([0, 0]), 4)
    assert [[word % 2**64 for word in row] for row in words.tolist()] == list(KNOWN.values())


def test_a_step_begins_two_to_the_32_words_after_the_one_before() -> None:
    word = words_KN(torch.tensor([7]), torch.tensor([3]), 10)[0, 9].item()
    assert word % 2**64 == mixed(7 + (3 * 2**32 + 10) * 0x9E3779B97F4A7C15)


def test_keys_stay_what_they_were() -> None:
    """A study that goes on, and numbers that were published, depend on them."""
    assert (key(0), key(1, 3, 5), key(2**31 - 1, 1)) == (
        16294208416658607535,
        703364074225928016,
        5609890809436529759,
    )


@pytest.mark.parametrize("draw", [counted_KN, None], ids=["counter", "cpu"])
def test_row_depends_on_seed_and_step_alone_and_a_longer_one_begins_with_the_shorter(draw: Any) -> None:
    noise = KeyedNoise(torch.device("cpu"))
    draw = draw or (lambda seeds, steps, n: noise.bits_KN(seeds, steps, [True] * len(seeds), n))
    many = draw([5, 1, 3, 2**31 - 1], [0, 9, 2, 10**6], 100)
    assert torch.equal(draw([3], [2], 100)[0], many[2])
    assert torch.equal(draw([2**31 - 1, 3], [10**6, 2], 30), many[[3, 2], :30])
    assert len(many.unique()) == 400


def test_rows_that_need_no_bits_leave_the_others_unchanged() -> None:
    noise = KeyedNoise(torch.device("cpu"))
    some, all_rows = (noise.bits_KN([1, 2, 3], [4, 4, 4], needed, 50) for needed in ([True, False, True], [True] * 3))
    assert torch.equal(some[[0, 2]], all_rows[[0, 2]])


def test_as_many_operations_for_one_fit_as_for_many() -> None:
    """On a device that is not the CPU; the meta device refuses what would make the host wait."""
    counts = []
    for k in (1, 40):
        with Operations() as operations:
            bits_KN = KeyedNoise(torch.device("meta")).bits_KN(list(range(k)), [3] * k, [True] * k, 10)
        assert (bits_KN.device.type, bits_KN.dtype, bits_KN.shape) == ("meta", torch.int64, (k, 10))
        counts.append(len(operations.names))
    assert counts[0] == counts[1] <= 25


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_counter_draws_the_same_words_on_cuda() -> None:
    seeds, steps = [5, 1, 2**31 - 1], [0, 7, 10**6]
    drawn_KN = KeyedNoise(torch.device("cuda")).bits_KN(seeds, steps, [True] * 3, 1000)
    assert torch.equal(drawn_KN.cpu(), counted_KN(seeds, steps, 1000))


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.5, 0.97])
def test_counter_keeps_the_share_that_a_threshold_asks_for(rate: float) -> None:
    """As the dropout layer compares: each of the four 16-bit parts of a word, within 4 standard deviations."""
    lanes_N4 = counted_KN(list(range(8)), [0, 1] * 4, 2**16).view(torch.int16).view(-1, 4)
    threshold = round((1 - rate) * 65536) - 32769
    share = (threshold + 32769) / 65536
    kept_4 = (lanes_N4 <= threshold).double().mean(dim=0)
    assert (kept_4 - share).abs().max() < 4 * math.sqrt(share * (1 - share) / len(lanes_N4))


@pytest.mark.parametrize("neighbour", ["seed", "step", "word"])
def test_neighbours_share_no_bits_beyond_chance(neighbour: str) -> None:
    """Of neighbouring seeds, steps and words each bit agrees half the time, within 5 standard deviations of 64 bits."""
    seeds = list(range(256))
    words_KN = counted_KN(seeds, [5] * 256, 257)
    others_KN = {
        "seed": counted_KN([seed + 1 for seed in seeds], [5] * 256, 257),
        "step": counted_KN(seeds, [6] * 256, 257),
        "word": words_KN.roll(1, dims=1),
    }[neighbour]
    differ_N = (words_KN ^ others_KN)[:, 1:].flatten()
    share_64 = torch.stack([(differ_N >> bit & 1).double().mean() for bit in range(64)])
    assert (share_64 - 0.5).abs().max() < 5 * 0.5 / math.sqrt(len(differ_N))
