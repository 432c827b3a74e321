"""The networks of the package: ordinary modules, a file each, which a stack makes K fits of."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from ridgeline.config import Config, ConfigError, parse
from ridgeline.config.network import network_names
from ridgeline.data import Splits, load_splits
from ridgeline.networks.stacking.network import StackedNetwork, Way
from ridgeline.networks.stacking.proof import largest_difference
from ridgeline.networks.stacking.survey import survey
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.networks import known_network, shape_of
from ridgeline.trial.requirements import check_surroundings
from settings import small

CPU = torch.device("cpu")
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "mlp": [{}, {"activation": "tanh", "initialization": "xavier_normal"}, {"activation": "sigmoid"}],
    "softmax": [{}],
    "cnn": [{}, {"batch_norm": True, "kernel": 5, "pool": 1, "head": [16, 8]}],
}


def cnn(**overrides: Any) -> Config:
    given = {"network__channels": [4, 6], "network__head": [12], "data__standardize": "all", **overrides}
    return small(network__name="cnn", **given)


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load_splits(cnn().data)


def test_every_file_of_the_folder_is_a_network_by_its_name() -> None:
    assert network_names() == sorted([*SETTINGS, "tabular"])  # which has tests of its own
    with pytest.raises(
        ConfigError, match=r"^`network\.name in {cnn, mlp, softmax, tabular}` must hold, but got network\.name="
    ):
        small(network__name="transformer")


@pytest.mark.parametrize(("name", "given"), [(name, each) for name, every in SETTINGS.items() for each in every])
def test_folded_into_the_batch_it_is_the_same_network(digits: Splits, name: str, given: dict[str, Any]) -> None:
    """Outputs, gradients and statistics of two fits, with dropout: what the choice of our own networks rests on."""
    network = {"name": name, **given}
    config = parse({"data": {"name": "digits"}, "network": network, "optimizer": {"name": "sgd", "lr": 0.1}})
    known = known_network(config.network, digits.train.x_NI, shape_of(digits))
    difference, dtype = largest_difference(known.make, known.survey, known.x_B, CPU)
    assert difference < 1e-13
    assert dtype == torch.float64
    assert known.choice.way == ("looped" if name == "cnn" else "swapped")


def test_settings_are_read_without_torch() -> None:
    code = (
        "import sys; from ridgeline.config import parse\n"
        "for name in ('mlp', 'softmax', 'cnn'):\n"
        "    parse({'data': {'name': 'digits'}, 'network': {'name': name}, 'optimizer': {'name': 'sgd', 'lr': 0.1}})\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


@pytest.mark.parametrize(
    ("words", "overrides"),
    [
        ("`network.kernel is odd` must hold, but got network.kernel=4.", {"network__kernel": 4}),
        ("`len(network.channels) >= 1` must hold, but got network.channels=[].", {"network__channels": []}),
        ("`network.head[i] >= 1` must hold, but got network.head=[0].", {"network__head": [0]}),
        ("There is no key `network.hidden`.", {"network__hidden": [3]}),
        (
            "`len(regularization.dropout) == 1, the network's dropout",
            {"regularization__dropout": [0.1, 0.2]},
        ),
        ("`data of images with network=cnn` must hold, but got network.name=cnn.", {"data__name": "wine"}),
        ("`network.pool ** len(network.channels) <= 8, the images' side,` must hold", {"network__pool": 3}),
    ],
)
def test_a_cnn_that_cannot_be_is_refused_in_one_line(words: str, overrides: dict[str, Any], tmp_path: Any) -> None:
    with pytest.raises(ConfigError) as error:
        check_surroundings(cnn(runs=str(tmp_path), **overrides))
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_a_cnn_learns_and_all_that_regularizes_reaches_it(digits: Splits) -> None:
    everything = {
        "l1": 1e-5,
        "l2": 1e-4,
        "max_norm": 3.0,
        "group_lasso": 1e-4,
        "dropout": 0.2,
        "input_dropout": 0.1,
        "dropconnect": 0.1,
        "mixup": 0.2,
        "weight_average": 0.9,
    }
    regularized = {f"regularization__{name}": value for name, value in everything.items()}
    for way in ({}, {"network__batch_norm": True}):
        longer = {"trainer__max_epochs": 12, "optimizer__lr": 0.01, **way}
        baseline, other = fit([cnn(**longer), cnn(seed=1, **longer, **regularized)], digits)
        assert baseline.metrics["final/val_error"] < 0.1
        assert other.metrics["final/val_error"] < 0.6  # of 0.9 by chance
        assert other.history[0]["train/objective"] > other.history[0]["train/loss"]


def test_both_ways_take_the_same_steps(digits: Splits) -> None:
    """A cnn with dropout, swapped as it is on a GPU, and looped as on a CPU."""
    config = cnn(regularization__dropout=0.3, network__batch_norm=True)
    known = known_network(config.network, digits.train.x_NI, shape_of(digits))
    x_KBI = torch.randn(2, 8, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows = []
    for way in ("looped", "swapped"):
        chosen: Way = way  # type: ignore[assignment]
        found = survey(known.make, known.x_B, channels_last=True)
        network = StackedNetwork(known.make, found, 2, known.x_B, chosen, dtype=torch.float64, device=CPU)
        for k in range(2):
            network.initialize(k, k)
        for _ in range(5):
            network.rows.differentiate(network(x_KBI).square().mean(dim=(1, 2)))
            network.rows.values_KP.sub_(network.rows.grads_KP, alpha=0.05)
        rows.append([network.state(k) for k in range(2)])
    for one, other in zip(*rows, strict=True):
        for name, tensor in one.items():
            torch.testing.assert_close(other[name], tensor, rtol=1e-8, atol=1e-10)


def test_diagnostics_name_a_layer_as_its_module_does(digits: Splits) -> None:
    config = cnn(callbacks__diagnostics__examples=50)
    row = fit([config], digits)[0].history[-1]
    layers = ("convolution0", "convolution1", "dense0")
    names = {f"diagnostics/{kind}/{layer}" for kind in ("dead_units", "zero_activations") for layer in layers}
    names |= {f"diagnostics/gradient_norm/{layer}" for layer in (*layers, "output")}
    assert {name for name in row if name.startswith("diagnostics/")} == names
    assert Stack([config], digits).network.weights[0].layer == "convolution0"
