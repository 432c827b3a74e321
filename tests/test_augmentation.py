"""What augmentation promises: each amount does what it says, nothing is changed where it is off, and it stacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform
from torch import Tensor

from ridgeline.config import AugmentationConfig, parse
from ridgeline.config.batchable import is_batchable
from ridgeline.data import Split, Splits, load_splits
from ridgeline.regularizers import Batch
from ridgeline.regularizers.augmentation import Augmentation
from ridgeline.regularizers.erasing import Erasing
from ridgeline.regularizers.warp import Warp
from ridgeline.report.curves import augmentation_figure
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.samples import samples_RMCHW
from settings import effect_of, small
from test_promise_alone_equals_stacked import assert_same_bits

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


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 17), (1, 1, 5)], ids=str)
def test_warped_images_are_kornias(shape: tuple[int, int, int]) -> None:
    """With which studies began. Here within rounding: another CPU may add up a product of matrices otherwise."""
    transform = pytest.importorskip("kornia.geometry.transform", reason="needs kornia: pip install 'kornia==0.9.*'")
    numbers, (_, height, width), n = torch.Generator().manual_seed(0), shape, 200
    images, uniform_5N = torch.randn(n, *shape, generator=numbers), torch.rand(5, n, generator=numbers)
    degrees_N, moved_2N = 360 * uniform_5N[0] - 180, 3 * uniform_5N[1:3] - 1.5
    across_N, down_N = (0.5 + uniform_5N[3]) * torch.where(uniform_5N[0] < 0.5, -1, 1), 0.5 + uniform_5N[4]
    centre_N2 = torch.tensor([(width - 1) / 2, (height - 1) / 2]).expand(n, 2)
    scales_N2 = torch.stack([across_N, down_N], dim=1)
    matrices = transform.get_affine_matrix2d(moved_2N.T.contiguous(), centre_N2, scales_N2, degrees_N)
    theirs = transform.warp_affine(images, matrices[:, :2], (height, width), align_corners=True)
    ours = Warp(height, width, images)(images, degrees_N, across_N, down_N, moved_2N)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


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


def coloured(images: Splits, n: int = 64) -> tuple[Splits, Splits]:
    """The first images as grey, and in colour: the channels are one and the same ink on papers of three colours."""
    grey_NI = images.train.x_NI[:n]
    x_NI = torch.cat([grey_NI, 2 * grey_NI + 1, grey_NI - 3], dim=1)
    train = Split(x_NI, images.train.y_N[:n])
    grey = replace(images, train=Split(grey_NI, images.train.y_N[:n]))
    return grey, replace(images, train=train, image_shape=(3, 8, 8))


@pytest.mark.parametrize("knob", [*KNOBS, "all"])
def test_channels_of_a_colour_image_are_changed_alike(images: Splits, knob: str) -> None:
    """So that the second channel is what the grey image becomes, where that is lit; light is added in equal amounts."""
    config = augmented(KNOBS if knob == "all" else {knob: KNOBS[knob]})
    changed = []
    for splits in coloured(images):
        batch = Batch(splits.train.x_NI[None].clone(), splits.train.y_N[None], [7], [3])
        for kind in (Augmentation, Erasing):
            effect = effect_of(Stack([config], splits), kind)
            if effect.is_on(config):
                effect.on_batch(batch)
        changed.append(batch.x_KBI)
    grey_KBP, (red_KBP, green_KBP, blue_KBP) = changed[0], changed[1].chunk(3, dim=2)
    assert not torch.equal(grey_KBP[0], images.train.x_NI[:64])
    torch.testing.assert_close(red_KBP, grey_KBP, rtol=0, atol=1e-5)
    torch.testing.assert_close(blue_KBP, grey_KBP - 3, rtol=0, atol=1e-5)
    if knob not in ("brightness", "all"):
        torch.testing.assert_close(green_KBP, 2 * grey_KBP + 1, rtol=0, atol=1e-5)


def test_a_colour_image_is_turned_moved_and_scaled_as_scipy_does_it(images: Splits) -> None:
    """Backwards, from each pixel of the result: about the centre, by linear interpolation, black beyond the edge."""
    _, splits = coloured(images, n=4)
    stack = Stack([augmented({"rotate": 30.0, "scale": 0.2, "shift": 0.25, "flip": 1.0})], splits)
    numbers = {"turn": 0.4, "size": -0.3, "right": 0.2, "down": -0.1}
    uniform = [torch.full((1, 4), numbers.get(name, 0.0)) for name in ORDER]
    ours = effect_of(stack, Augmentation).augmented_UBI(splits.train.x_NI[None], uniform)[0].view(4, 3, 8, 8)
    angle, scale = np.deg2rad(2 * 0.4 * 30), 1 + 2 * -0.3 * 0.2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # clockwise, of (right, down)
    backwards = np.linalg.inv(turn @ np.diag([-scale, scale]))[::-1, ::-1]  # of (down, right), as scipy has axes
    moved, centre = 8 * np.array([2 * -0.1 * 0.25, 2 * 0.2 * 0.25]), np.array([3.5, 3.5])
    offset = centre - backwards @ (centre + moved)
    for image_CHW, found_CHW in zip(splits.train.x_NI.view(4, 3, 8, 8), ours, strict=True):
        for c in range(3):
            black = splits.train.x_NI.view(4, 3, 64)[:, c].min()
            ink_HW = (image_CHW[c] - black).double().numpy()
            expected_HW = affine_transform(ink_HW, backwards, offset, order=1, mode="grid-constant") + black.item()
            np.testing.assert_allclose(found_CHW[c].numpy(), expected_HW, atol=1e-4)


def test_picture_shows_images_and_their_draws(images: Splits) -> None:
    samples = samples_RMCHW(augmented(KNOBS, seed=3), images)
    assert samples.shape == (5, 10, 1, 8, 8)
    own_MI = images.scaler.undo(images.train.x_NI[:10].numpy())
    assert torch.equal(samples[0].flatten(1), torch.from_numpy(own_MI))
    assert all(not torch.equal(samples[r], samples[s]) for r in range(5) for s in range(r))
    figure = augmentation_figure(samples.numpy())
    assert len(figure.axes) == 50
    assert figure.get_figwidth() * figure.dpi >= 800


def test_picture_shows_colours() -> None:
    images_RMCHW = np.zeros((1, 1, 3, 2, 2))
    images_RMCHW[0, 0, 0], images_RMCHW[0, 0, 2, 1] = 200.0, 100.0
    (axes,) = augmentation_figure(images_RMCHW).axes
    assert axes.images[0].get_array().tolist() == [[[255, 0, 0]] * 2, [[255, 0, 128]] * 2]


def test_a_cnn_of_colour_images_trains_augmented_in_a_stack_as_alone(tmp_path: Path) -> None:
    """From bytes, each channel by its own mean and deviation."""
    draw = np.random.default_rng(0)
    labels_N = np.repeat([0, 1], 60)
    x_NHW3 = draw.integers(0, 200, (120, 8, 8, 3)) + 50 * (labels_N[:, None, None, None] * [0, 1, 0])
    np.savez(tmp_path / "x.npz", x=x_NHW3.astype(np.uint8), y=labels_N)
    others = {"optimizer": {"name": "adam", "lr": 0.01}, "trainer": {"max_epochs": 2, "batch_size": 24}}
    network = {"name": "cnn", "channels": [4], "head": [8]}
    tree = {"data": {"name": "arrays", "path": str(tmp_path / "x.npz")}, "network": network, **others}
    configs = [parse({**tree, "augmentation": KNOBS, "seed": seed}) for seed in range(3)]
    splits = load_splits(configs[0].data)
    assert (configs[0].data.standardize, splits.train.x_NI.dtype) == ("channel", torch.uint8)
    stacked = fit(configs, splits)
    for config, one in zip(configs[:2], stacked, strict=False):
        (alone,) = fit([config], splits)
        for row, same in zip(one.history, alone.history, strict=True):
            assert row["val/loss"] == pytest.approx(same["val/loss"], rel=1e-3)
    assert stacked[0].history != fit([parse(tree)], splits)[0].history
