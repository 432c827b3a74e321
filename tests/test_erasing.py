"""What erasing promises: one rectangle of background in a share of the images, the other pixels as they were."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ridgeline.data import Splits, load_splits
from ridgeline.networks.stacking.noise import KeyedNoise, Purpose
from ridgeline.regularizers import Batch
from ridgeline.regularizers.augmentation import Augmentation
from ridgeline.regularizers.erasing import AREA, RATIO, Erasing
from ridgeline.stack.module import Stack
from settings import effect_of, small


def erasing(rate: float, **others: Any) -> Any:
    return small(data__standardize="all", augmentation__erase=rate, **others)


@pytest.fixture(scope="module")
def images() -> Splits:
    return load_splits(erasing(0.0).data)


def changed_(stack: Stack, x_KBI: Tensor, seeds: list[int], steps: list[int]) -> None:
    """What the effects on images make of these, in place."""
    for effect in (effect_of(stack, Augmentation), effect_of(stack, Erasing)):
        if any(effect.is_on(config) for config in stack.configs):
            effect.on_batch(Batch(x_KBI, torch.zeros(x_KBI.shape[:2], dtype=torch.int64), seeds, steps))


def erased(images: Splits, configs: list[Any], n: int = 1000, step: int = 0, seeds: list[int] | None = None) -> Tensor:
    """Which pixels (K, n, 8, 8) of bright images a step makes background."""
    x_KBI = torch.full((len(configs), n, 64), 9.0)
    stack = Stack(configs, images)
    changed_(stack, x_KBI, seeds or [config.seed for config in configs], [step] * len(configs))
    assert ((x_KBI == 9) | (x_KBI == images.train.x_NI.min())).all()
    return (x_KBI != 9).view(len(configs), n, 8, 8)


def test_share_of_the_images_is_the_rate(images: Splits) -> None:
    rates = [0.0, 0.3, 1.0]
    shares_K = erased(images, [erasing(rate) for rate in rates]).flatten(2).any(dim=2).double().mean(dim=1)
    assert shares_K[0] == 0
    assert abs(shares_K[1] - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 1000)
    assert shares_K[2] == 1


def test_each_is_the_rectangle_that_its_numbers_give(images: Splits) -> None:
    """Drawn with loops in NumPy."""
    ours_BHW = erased(images, [erasing(0.6, seed=7)], n=200, step=3)[0].numpy()
    (words_N,) = KeyedNoise(torch.device("cpu")).bits_KN([7], [3], [True], 600, Purpose.ERASING)
    numbers_BP = words_N.numpy().view(np.int32).reshape(200, 6).astype(np.float32) / np.float32(2**32) + np.float32(0.5)
    for ours_HW, (happens, area, ratio, stands, down, right) in zip(ours_BHW, numbers_BP.astype(float), strict=True):
        expected_HW = np.zeros((8, 8), bool)
        if happens <= 0.6:
            pixels = 64 * (AREA[0] + area * (AREA[1] - AREA[0]))
            part = RATIO[0] + ratio * (RATIO[1] - RATIO[0])
            sides = [min(8, max(1, round(math.sqrt(pixels * one)))) for one in (1 / part, part)]
            height, width = sides if stands < 0.5 else sides[::-1]
            top, left = int(down * (9 - height)), int(right * (9 - width))
            expected_HW[top : top + height, left : left + width] = True
        assert (ours_HW == expected_HW).all()


def test_rectangles_lie_and_stand_alike_and_reach_every_pixel(images: Splits) -> None:
    """Turned by a quarter or half the rates stay; areas stay in their range but for whole pixels."""
    erased_BHW = erased(images, [erasing(1.0)], n=4000)[0].double()
    areas_B = erased_BHW.sum(dim=(1, 2))
    assert areas_B.min() >= 1
    assert areas_B.max() <= 25
    assert areas_B.mean() / 64 == pytest.approx(0.175, rel=0.05)
    rates_HW = erased_BHW.mean(dim=0)
    assert rates_HW.min() > 0.03
    for other in (rates_HW.rot90(1), rates_HW.rot90(2), rates_HW.T):
        torch.testing.assert_close(rates_HW, other, rtol=0, atol=6 * math.sqrt(0.5 / 4000))


def test_draws_are_the_fits_own_by_seed_and_step(images: Splits) -> None:
    (alone,) = erased(images, [erasing(0.5, seed=2)])
    beside = erased(images, [erasing(1.0, seed=1), erasing(0.0, seed=2), erasing(0.5, seed=2)])
    assert torch.equal(alone, beside[2])
    assert (alone & ~erased(images, [erasing(0.8, seed=2)])[0]).sum() == 0  # a larger rate erases more, not elsewhere
    for config, step in ((erasing(0.5, seed=3), 0), (erasing(0.5, seed=2), 1)):
        both = alone.flatten(1).any(dim=1) & erased(images, [config], step=step)[0].flatten(1).any(dim=1)
        assert both.double().mean().item() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 1000))


def test_what_is_not_erased_is_what_it_would_be_without(images: Splits) -> None:
    """To the bit where nothing else is on; and the warp's draws are the same with and without erasing."""
    for others in ({}, {"augmentation__rotate": 20.0, "augmentation__brightness": 0.3}):
        configs = [erasing(rate, seed=1, **others) for rate in (0.0, 1.0)]
        x_KBI = images.train.x_NI[:50].repeat(2, 1, 1)
        changed_(Stack(configs, images), x_KBI, [1, 1], [4, 4])
        gone_BI = erased(images, [erasing(1.0)], n=50, step=4, seeds=[1])[0].flatten(1)
        assert torch.equal(x_KBI[0][~gone_BI], x_KBI[1][~gone_BI])
        assert (x_KBI[1][gone_BI] == images.train.x_NI.min()).all()
        if not others:
            assert torch.equal(x_KBI[0], images.train.x_NI[:50])
