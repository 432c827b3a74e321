"""network._target_: anyone's module in the one engine."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from ridgeline.config import Config, ConfigError, parse
from ridgeline.config.batchable import structure
from ridgeline.data import Splits, load_splits
from ridgeline.evaluation.baseline import without_regularization
from ridgeline.networks.stacking.noise import Purpose, key
from ridgeline.networks.stacking.randomness import restored, seed_all
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.networks import check_network, known_network, shape_of, way_of
from ridgeline.stack.prediction import logits_KNC
from settings import SMALL, tree


def own(target: str = "modules.Sized", arguments: dict[str, Any] | None = None, **overrides: Any) -> Config:
    """On digits, whose images have 8 x 8 pixels."""
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    kept = {key: value for key, value in SMALL.items() if not key.startswith("network.")}
    network = {"network._target_": target, **{f"network.{name}": value for name, value in (arguments or {}).items()}}
    return parse(tree({**kept, **network, **given}))


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load_splits(own().data)


def test_what_its_signature_asks_for_is_filled_in_and_its_arguments_are_structural(digits: Splits) -> None:
    narrow, wide = own(arguments={"width": 8}), own(arguments={"width": 16})
    assert structure(narrow) != structure(wide)
    for config, width in ((narrow, 8), (wide, 16)):
        known = known_network(config.network, digits.train.x_NI, shape_of(digits))
        assert known.make().first.weight.shape == (width, 64)
        assert known.choice.way == "swapped"


def test_images_come_to_whom_does_not_ask_for_rows(digits: Splits) -> None:
    shapes = {"modules.Sized": (64,), "modules.OfImages": (1, 8, 8), "modules.Flattening": (1, 8, 8)}
    for target, shape in shapes.items():
        assert known_network(own(target).network, digits.train.x_NI, shape_of(digits)).example_shape == shape
    (result,) = fit([own("modules.OfImages")], digits)
    assert result.metrics["final/train_loss"] < result.history[0]["train/loss"]


@pytest.mark.parametrize("target", ["modules.Sized", "modules.OfImages", "modules.Noisy"])
def test_a_fit_ends_as_it_does_alone(digits: Splits, target: str) -> None:
    """Swapped, looped, and with noise that is no layer's, dropout of the author's own and BatchNorm included."""
    sgd = {"optimizer__name": "sgd", "optimizer__lr": 0.1}  # Adam makes whole steps of a gradient that is only rounding
    configs = [own(target, seed=seed, regularization__l2=l2, **sgd) for seed, l2 in ((0, 0.0), (1, 1e-3), (2, 1e-2))]
    stacked = fit(configs, digits)
    for config, together in zip(configs, stacked, strict=True):
        (alone,) = fit([config], digits)
        for name, tensor in alone.weights.items():
            torch.testing.assert_close(together.weights[name], tensor, rtol=1e-4, atol=1e-5)
    assert len({result.value for result in stacked}) == 3


def test_initialization_is_the_authors_under_the_fits_seed(digits: Splits) -> None:
    stack = Stack([own(seed=7)], digits)
    with restored():
        seed_all(key(7, Purpose.INITIALIZATION))
        theirs = known_network(own().network, digits.train.x_NI, shape_of(digits)).make()
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in stack.network.state(0).items())


def test_what_is_kept_predicts_what_was_validated(digits: Splits) -> None:
    """Running statistics are those of the best epoch too."""
    config = own(trainer__max_epochs=6, optimizer__lr=0.03)
    (result,) = fit([config], digits)
    logits_NC = logits_KNC(config, [result.weights], digits.validation.x_NI)[0]
    loss = torch.nn.functional.cross_entropy(logits_NC, digits.validation.y_N).item()
    assert loss == pytest.approx(min(row["val/loss"] for row in result.history), rel=1e-5)
    module = known_network(config.network, digits.train.x_NI, shape_of(digits)).make()
    module.load_state_dict(result.weights)
    torch.testing.assert_close(module.eval()(digits.validation.x_NI), logits_NC, rtol=1e-4, atol=1e-4)


def test_authors_dropout_is_kept_until_a_rate_is_given_and_off_in_the_baseline(digits: Splits) -> None:
    rates = [0.25, 0.5]
    for given, expected in ((None, rates), (0.1, [0.1, 0.1]), ([0.3, 0.0], [0.3, 0.0]), (0.0, [0.0, 0.0])):
        stack = Stack([own(regularization__dropout=given)], digits)
        assert [layer.rates[0] for layer in stack.network.dropouts] == expected
    stack = Stack([without_regularization(own())], digits)
    assert [layer.rates[0] for layer in stack.network.dropouts] == [0.0, 0.0]


def test_mixed_rates_in_a_stack_and_penalties_act_by_unit(digits: Splits) -> None:
    """On weights of layers alone: never on biases and norms."""
    strong = {"regularization__max_norm": 0.1, "optimizer__lr": 0.05}
    for target in ("modules.Sized", "modules.OfImages"):
        (bounded,) = fit([own(target, **strong)], digits)
        for name, weight in bounded.weights.items():
            if weight.dim() > 1:
                assert weight.flatten(1).norm(dim=1).max() <= 0.1001, name
        assert bounded.weights["norm.weight"].norm() > 1
        (grouped,) = fit([own(target, regularization__group_lasso=10.0, optimizer__lr=0.05)], digits)
        assert grouped.metrics["final/zero_units"] > 0.5


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("modules.Sized", r"network: swapped \(3 Linear, 1 BatchNorm1d\), equal to plain copies within \de-1\d; .+"),
        ("modules.OfImages", "network: looped, which is faster for convolutions on a CPU; .+"),
        ("modules.Noisy", "network: looped, for its forward draws random numbers of its own; .+"),
    ],
)
def test_one_line_says_the_way_and_why(target: str, words: str) -> None:
    assert re.fullmatch(words, way_of(own(target)))


@pytest.mark.parametrize(
    ("target", "overrides", "words"),
    [
        ("modules.Perceptron", {"data__name": "wine"}, "`network takes examples of shape (13,)` must hold, but got"),
        ("modules.Three", {}, "`modules.Three gives 10 outputs` must hold, but got network=3 outputs."),
        ("modules.number", {}, "`network._target_ gives an nn.Module` must hold, but got network._target_="),
        ("modules.Bias", {"regularization__l2": 0.1}, "must hold, but got regularization.l2=0.1."),
    ],
)
def test_what_cannot_train_is_refused_in_one_line(target: str, overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_network(own(target, **overrides))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_last_batch_of_one_is_refused_where_the_network_cannot_take_it(digits: Splits) -> None:
    for size in (1, digits.train.n - 1):
        with pytest.raises(ConfigError, match=rf"but got trainer.batch_size={size} of {digits.train.n}, the last of"):
            check_network(own(trainer__batch_size=size))  # it has a BatchNorm
        check_network(own("modules.Flattening", trainer__batch_size=size))
    check_network(own(trainer__batch_size=digits.train.n - 2))


def test_rates_for_layers_that_are_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"must hold, but got regularization\.dropout="):
        check_network(own("modules.Flattening", regularization__dropout=0.2))
    with pytest.raises(ConfigError, match=r"== 2, the network's dropout layers,` must hold"):
        check_network(own(regularization__dropout=[0.1, 0.2, 0.3]))


def test_a_fit_may_take_a_slot_of_another(digits: Splits) -> None:
    for target in ("modules.Sized", "modules.OfImages"):
        stack = Stack([own(target), own(target, seed=1)], digits)
        stack.rows.state_KS.fill_(float("nan"))
        stack.load(0, own(target, seed=4))
        fresh = Stack([own(target, seed=4)], digits)
        assert all(torch.equal(w, fresh.network.state(0)[name]) for name, w in stack.network.state(0).items())
