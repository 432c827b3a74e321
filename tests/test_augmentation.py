"""What augmentation promises: each amount does what it says, nothing is changed where it is off, and it stacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ridgeline.config import AugmentationConfig
from ridgeline.config.batchable import is_batchable
from ridgeline.data import Split, Splits, load_splits
from ridgeline.regularizers import Batch
from ridgeline.regularizers.augmentation import Augmentation
from ridgeline.report.curves import augmentation_figure
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.samples import samples_RMHW
from settings import effect_of, small
from test_promise_alone_equals_stacked import assert_same_bits

pytest.importorskip("kornia", reason="needs kornia: pip install 'kornia==0.9.*'")

KNOBS = {"rotate": 15.0, "scale": 0.2, "shift": 0.2, "flip": 0.5, "crop": 0.3, "brightness": 0.5, "contrast": 0.3}
KNOBS |= {"erase": 0.5}
ORDER = ["turn", "size", "right", "down", "side", "part", "part_right", "part_down", "light", "contrast"]


def augmented(knobs: dict[str, float], **others: Any) -> Any:
    return small(data__standardize="all", **{f"augmentation__{name}": v for name, v in knobs.items()}, **others)


@pytest.fixture(scope="module")
def images() -> Splits:
    return load_splits(augmented({}).data)


def test_every_knob_is_tried() -> None:
    assert set(KNOBS) == {n for n in AugmentationConfig.__dataclass_fields__ if is_batchable(f"augmentation.{n}")}


@pytest.mark.parametrize("knob", [*KNOBS, "all"])
def test_fit_ends_bitwise_the_same_alone_and_in_any_slot_beside_any_neighbour(images: Splits, knob: str) -> None:
    one, baseline = augmented(KNOBS if knob == "all" else {knob: KNOBS[knob]}, seed=1), augmented({}, seed=2)
    (alone,), (unchanged,) = fit([one], images), fit([baseline], images)
    many = fit([augmented(KNOBS, seed=3), baseline, one], images)
    assert_same_bits(alone, many[2])
    assert_same_bits(unchanged, many[1])
    assert alone.history != fit([augmented({}, seed=1)], images)[0].history


def drawn(images: Splits, knobs: dict[str, float], n: int = 6, **numbers: float) -> tuple[Tensor, Tensor]:
    """The first images and what becomes of them, less the background, for these random numbers in [-0.5, 0.5]."""
    stack = Stack([augmented(knobs)], images)
    x_UBI = images.train.x_NI[:n].unsqueeze(0)
    uniform = [torch.full((1, n), numbers.get(name, 0.0)) for name in ORDER]
    after_UBI = effect_of(stack, Augmentation).augmented_UBI(x_UBI, uniform)
    before, after = (each.view(n, 8, 8) - images.train.x_NI.min() for each in (x_UBI, after_UBI))
    return before, after


def assert_close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_numbers_in_the_middle_leave_images_as_they_are(images: Splits) -> None:
    before, after = drawn(images, {**KNOBS, "flip": 0.0}, part=-0.5)
    assert_close(after, before)


def test_images_are_turned(images: Splits) -> None:
    before, after = drawn(images, {"rotate": 90.0}, turn=0.5)
    assert_close(after, before.rot90(-1, (1, 2)))
    assert_close(drawn(images, {"rotate": 90.0}, turn=-0.5)[1], before.rot90(1, (1, 2)))


def test_images_are_moved_and_background_comes_in(images: Splits) -> None:
    before, after = drawn(images, {"shift": 0.25}, right=0.5, down=-0.25)
    expected = torch.zeros_like(before)
    expected[:, :-1, 2:] = before[:, 1:, :-2]
    assert_close(after, expected)


def test_images_are_flipped_with_their_probability(images: Splits) -> None:
    before, after = drawn(images, {"flip": 0.3}, side=-0.21)
    assert_close(after, before.flip(2))
    assert_close(drawn(images, {"flip": 0.3}, side=-0.19)[1], before)


def test_images_grow_and_shrink(images: Splits) -> None:
    before, larger = drawn(images, {"scale": 0.2}, size=0.5)
    _, smaller = drawn(images, {"scale": 0.2}, size=-0.5)
    ink = [each[:, 1:-1, 1:-1].sum() / before[:, 1:-1, 1:-1].sum() for each in (smaller, larger)]
    assert ink[0] < 0.85
    assert ink[1] > 1.05


def test_crop_fills_the_image_with_a_part_of_it(images: Splits) -> None:
    """With half of the side cut off, twice as large; at the edge of the range a corner of the image."""
    ramp = images.train.x_NI.clone()
    ramp[:6] = torch.arange(8.0).repeat(8)
    splits = replace(images, train=Split(ramp, images.train.y_N))
    for part_right, first, last in ((0.5, -0.25, 3.25), (-0.5, 3.75, 7.25), (0.0, 1.75, 5.25)):
        before, after = drawn(splits, {"crop": 0.5}, part=0.5, part_right=part_right)
        row = after[0, 4] - before[0, 4, 0]
        assert row[1:-1] == pytest.approx(torch.linspace(first, last, 8)[1:-1], abs=1e-3)


def test_light_and_contrast(images: Splits) -> None:
    before, after = drawn(images, {"brightness": 0.5, "contrast": 0.4}, light=0.5, contrast=-0.25)
    assert_close(after, before * 0.8 + 0.5)


def test_draws_differ_by_example_and_step_and_stay_within_their_amounts(images: Splits) -> None:
    stack = Stack([augmented({"brightness": 0.5}, seed=1)], images)
    lights = []
    for step in (0, 1):
        x_KBI = torch.zeros(1, 100, 64) + images.train.x_NI.min()
        batch = Batch(x_KBI, torch.zeros(1, 100, dtype=torch.int64), [1], [step])
        effect_of(stack, Augmentation).on_batch(batch)
        assert (x_KBI == x_KBI[:, :, :1]).all()
        lights.append(x_KBI[0, :, 0] - images.train.x_NI.min())
    drawn_2B = torch.stack(lights)
    assert drawn_2B.unique().numel() > 190
    assert drawn_2B.abs().max() <= 0.5
    assert drawn_2B.std().item() == pytest.approx(0.5 / 3**0.5, rel=0.1)


def test_validation_sees_images_as_they_are(images: Splits) -> None:
    (result,) = fit([augmented({"brightness": 5.0}, trainer__restore_best=False)], images)
    network = Stack([augmented({})], images).network
    network.load_state(0, result.weights)
    logits = network.eval()(images.validation.x_NI.unsqueeze(0))[0]
    loss = torch.nn.functional.cross_entropy(logits, images.validation.y_N)
    assert result.history[-1]["val/loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_picture_shows_images_and_their_draws(images: Splits) -> None:
    samples = samples_RMHW(augmented(KNOBS, seed=3), images)
    assert samples.shape == (5, 10, 8, 8)
    assert torch.equal(samples[0].flatten(1), images.train.x_NI[:10])
    assert all(not torch.equal(samples[r], samples[s]) for r in range(5) for s in range(r))
    figure = augmentation_figure(samples.numpy())
    assert len(figure.axes) == 50
    assert figure.get_figwidth() * figure.dpi >= 800
