"""Networks of other people in a stack: each ends as plain torch would train it alone, or is refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from architectures import Stepper, config_of, difference, double, forced, known
from ridgeline.config import ConfigError
from ridgeline.data import Splits, load_splits
from ridgeline.networks.stacking.proof import largest_difference
from ridgeline.stack.module import Stack
from strange_networks import (
    STRANGE,
    CountsCalls,
    CountsInABuffer,
    CountsInItsClass,
    DrawnConstant,
    GivesImages,
    GivesTwo,
    LayerInAList,
    WritesInput,
)
from zoo import ZOO, BatchNormMLP, CategoryMLP, InPlace, LeNet, MixtureOfExperts, SpectralNormMLP, TiedAutoencoder

EQUAL = 1e-6
QUICK = (BatchNormMLP, CategoryMLP, InPlace, LeNet, MixtureOfExperts, SpectralNormMLP, TiedAutoencoder)


@pytest.fixture(scope="module")
def digits() -> Splits:
    torch.set_num_threads(1)
    splits = load_splits(config_of(LeNet).data)
    few = replace(splits.train, x_NI=splits.train.x_NI[:300], y_N=splits.train.y_N[:300])
    return double(replace(splits, train=few))


@pytest.mark.parametrize("kind", QUICK)
def test_public_architecture_ends_as_in_plain_torch(kind: type[nn.Module], digits: Splits) -> None:
    assert difference(kind, digits, 12) < EQUAL


@pytest.mark.verify
@pytest.mark.parametrize("kind", ZOO)
def test_public_architecture_ends_as_in_plain_torch_both_ways(kind: type[nn.Module], digits: Splits) -> None:
    looped_alone = known(config_of(kind), digits).survey.why_looped is not None
    for way in ("looped",) if looped_alone else ("looped", "swapped"):
        with forced(way):
            assert difference(kind, digits, 30) < EQUAL, way


def test_most_public_architectures_can_be_folded_into_a_batch(digits: Splits) -> None:
    equal = 0
    for kind in ZOO:
        own = known(config_of(kind), digits)
        if own.survey.why_looped is None:
            largest, _ = largest_difference(own.make, own.survey, own.x_B, torch.device("cpu"))
            assert largest < 1e-9, kind
            equal += 1
    assert equal >= 12


@pytest.mark.parametrize("kind", STRANGE)
def test_no_strange_network_is_silently_wrong(kind: type[nn.Module], digits: Splits) -> None:
    own = known(config_of(kind), digits)
    assert own.choice.way == kind.expected, own.choice.why
    assert difference(kind, digits, 8, is_keyed=not kind.uses_own_noise) < EQUAL


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (GivesTwo, "one tensor"),
        (GivesImages, r"\(B, outputs\)"),
        (CountsInABuffer, "the buffer count"),
        (LayerInAList, r"but got layers in hidden, a plain list \(nn.ModuleList holds them\)"),
        (DrawnConstant, r"but got frequencies, which a seed changes \(register_buffer keeps it\)"),
        (CountsInItsClass, "its forward reads numbers from outside"),
    ],
)
def test_network_that_a_stack_cannot_take_is_refused(kind: type[nn.Module], words: str, digits: Splits) -> None:
    with pytest.raises(ConfigError, match=words):
        Stack([config_of(kind)], digits)


@pytest.mark.parametrize("kind", [TiedAutoencoder, SpectralNormMLP, LeNet, BatchNormMLP])
def test_state_of_a_fit_is_a_whole_state_dict_of_the_authors_module(
    kind: type[nn.Module], digits: Splits, tmp_path: Path
) -> None:
    stepper = Stepper([config_of(kind, seed) for seed in range(2)], digits)
    stepper.step()
    own, network = known(config_of(kind), digits), stepper.stack.network
    module = own.make().double().eval()
    module.load_state_dict(network.state(1))
    save_file(network.state(1), tmp_path / "weights.safetensors")  # which takes no tensors that share memory
    x_BI = digits.validation.x_NI[:5]
    outputs_BO = network.eval()(x_BI.expand(2, -1, -1))[1]
    torch.testing.assert_close(module(x_BI.view(-1, *own.example_shape)), outputs_BO)


def test_fit_that_begins_later_in_a_slot_finds_nothing_of_another(digits: Splits) -> None:
    configs = [config_of(CountsCalls, seed) for seed in range(3)]
    alone, shared = Stepper(configs[2:], digits), Stepper(configs[:2], digits)
    for _ in range(3):
        shared.step()
    shared.stack.load(0, configs[2])
    for stepper in (alone, shared):
        stepper.stack.set_epoch([1.0] * len(stepper.stack.configs), stepper.stack.configs)
        stepper.restart()
        for _ in range(4):
            stepper.step()
    for name, expected in alone.stack.network.state(0).items():
        torch.testing.assert_close(shared.stack.network.state(0)[name], expected)


def test_network_that_writes_into_its_input_leaves_the_data(digits: Splits) -> None:
    before = digits.validation.x_NI.clone(), digits.train.x_NI.clone()
    stepper = Stepper([config_of(WritesInput)], digits)
    stepper.step()
    stepper.stack.on_validation_epoch_start()
    for piece in stepper.stack.val_dataloader():
        stepper.stack.validation_step(piece, 0)
    assert torch.equal(digits.validation.x_NI, before[0])
    assert torch.equal(digits.train.x_NI, before[1])
