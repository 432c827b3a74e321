"""Networks on rows of a table: numbers encoded, codes embedded, and no code ever taken for a number."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import Tensor, nn

from ridgeline.checking import build
from ridgeline.config import Config, ConfigError
from ridgeline.config.network import OwnNetwork
from ridgeline.data import Splits, load_splits
from ridgeline.entry_points import ROOT
from ridgeline.evaluation.debug.gradcheck import gradcheck
from ridgeline.layout import Layout
from ridgeline.networks.layers.numbers import FARTHEST, PiecewiseLinear
from ridgeline.networks.layers.table import width_of
from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.networks.stacking.proof import largest_difference
from ridgeline.networks.tabular import Network
from ridgeline.stack.evaluation import examples_of
from ridgeline.stack.fitted import Fitted, load_fitted
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.networks import Shape, check_network, known_network, shape_of, way_of
from ridgeline.stack.precision import predict
from ridgeline.stack.sizing import fitting_stack_size
from settings import small
from test_graphs import assert_same

CPU = torch.device("cpu")
MANY = 40
EVERYTHING = {
    "l1": 1e-5,
    "l2": 1e-4,
    "max_norm": 3.0,
    "group_lasso": 1e-4,
    "dropout": 0.2,
    "input_dropout": 0.3,
    "input_noise": 0.1,
    "dropconnect": 0.1,
    "mixup": 0.4,
    "weight_average": 0.9,
}


def quantiles(values: Tensor) -> tuple[float, ...]:
    return tuple(torch.quantile(values.unique(), torch.linspace(0, 1, 65, dtype=values.dtype)).tolist())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two numbers, a column of few and one of many categories, of which the target depends."""
    rng = np.random.default_rng(0)
    n = 400
    city = rng.integers(0, MANY, n)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 9, n).round(2),
            "wage": rng.lognormal(3, 1, n).round(2),
            "city": [f"city {c}" for c in city],
            "colour": rng.choice(["red", "green", "blue"], n),
        }
    )
    frame["bought"] = np.where(np.isin(city, range(0, MANY, 2)) ^ (frame["wage"] > 20), "yes", "no")
    place = tmp_path_factory.mktemp("table") / "shop.csv"
    frame.to_csv(place, index=False)
    return str(place)


def tabular(path: str, **overrides: Any) -> Config:
    given = {"network__name": "tabular", "network__hidden": [12, 8], "data__one_hot": 8, **overrides}
    table = {"data__name": "table", "data__path": path, "data__target": "bought"}
    return small(**table, **given)


@pytest.fixture(scope="module")
def splits(path: str) -> Splits:
    return load_splits(tabular(path).data)


class Plain(nn.Module):
    """A network that knows nothing of tables."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(n_inputs, 8), nn.Linear(8, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(torch.relu(self.hidden(x)))  # type: ignore[no-any-return]


class OfLayout(Plain):
    def __init__(self, n_inputs: int, n_outputs: int, layout: Layout) -> None:
        super().__init__(n_inputs, n_outputs)
        self.layout = layout


def own(name: str) -> OwnNetwork:
    return OwnNetwork(f"{__name__}.{name}", key="network")


def test_the_file_of_the_group_has_the_defaults_of_the_class(path: str) -> None:
    tree = yaml.safe_load((ROOT / "conf/network/tabular.yaml").read_text())
    assert build(Network, tree, "network") == Network()


# What goes in ---------------------------------------------------------------------------------------------------------


def test_a_number_is_the_share_of_each_bin_that_lies_below_it() -> None:
    encoding = PiecewiseLinear([[0.0, 1.0, 3.0, 4.0]], 3)
    x = torch.tensor([[0.0], [0.5], [1.0], [2.0], [3.5], [5.0], [-1.0], [float("nan")]])
    expected = [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 0.5, 0], [1, 1, 0.5], [1, 1, 2], [-1, 0, 0]]
    torch.testing.assert_close(encoding(x)[:-1], torch.tensor(expected, dtype=torch.float32))
    assert encoding(x)[-1].isnan().all()
    assert encoding(torch.tensor([[1e30]])).tolist() == [[1, 1, FARTHEST]]


def test_bins_without_width_are_silent_and_so_is_a_constant() -> None:
    encoding = PiecewiseLinear([[0.0, 0.0, 0.0, 2.0], [5.0, 5.0, 5.0, 5.0]], 3)
    got = encoding(torch.tensor([[0.5, 5.0], [3.0, 7.0]]))
    assert got.tolist() == [[0.5, 0, 0, 0, 0, 0], [1, 0, 2, 1, 0, 3]]


def test_bins_have_the_same_number_of_distinct_values() -> None:
    values = torch.arange(1000.0) ** 2
    encoding = PiecewiseLinear([quantiles(values)], 16)
    is_in_bin = (encoding(values.unsqueeze(1)) > 0).sum(dim=1)
    counts = torch.bincount(is_in_bin.clamp(min=1), minlength=17)[1:]
    assert int(counts.min()) >= 61
    assert int(counts.max()) <= 64


def test_the_network_gets_numbers_encoded_codes_embedded_and_the_rest_as_it_is(splits: Splits, path: str) -> None:
    layout = splits.layout
    assert layout is not None
    ((city, n_codes),) = layout.codes
    assert n_codes >= MANY * 0.9
    module = known_network(tabular(path).network, splits.train.x_NI, shape_of(splits)).make()
    x_NI = splits.train.x_NI[:9]
    inputs: Any = module.inputs
    got = inputs(x_NI)
    n, width = 16 * len(layout.numbers), width_of(n_codes)
    others = [i for i in range(layout.n_inputs) if i != city and i not in layout.numbers]
    assert torch.equal(got[:, n : n + len(others)], x_NI[:, others])
    assert torch.equal(got[:, -width:], inputs.embeddings[0].weight[x_NI[:, city].long()])
    assert got.shape == (9, n + len(others) + width)
    assert torch.equal(inputs.embeddings[0].weight[0], torch.zeros(width))


def test_a_number_may_stand_beside_its_bins(splits: Splits, path: str) -> None:
    assert splits.layout is not None
    x_NI, numbers = splits.train.x_NI[:9], list(splits.layout.numbers)
    of = {
        numeric: known_network(tabular(path, network__numeric=numeric).network, splits.train.x_NI, shape_of(splits))
        for numeric in ("piecewise", "piecewise_and_linear")
    }
    encoded, both = (known.make().inputs(x_NI) for known in of.values())  # type: ignore[operator]
    n = 16 * len(numbers)
    assert numbers == [0, 1]
    assert torch.equal(both[:, :n], encoded[:, :n])
    assert torch.equal(both[:, n : n + 2], x_NI[:, numbers])
    assert both.shape[1] == encoded.shape[1] + 2


# As K fits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numeric", ["piecewise", "piecewise_and_linear", "periodic", "none"])
def test_folded_into_the_batch_it_is_the_same_network(splits: Splits, path: str, numeric: str) -> None:
    config = tabular(path, network__numeric=numeric)
    known = known_network(config.network, splits.train.x_NI, shape_of(splits))
    difference, dtype = largest_difference(known.make, known.survey, known.x_B, CPU)
    assert difference < 1e-13
    assert dtype == torch.float64
    assert known.choice.way == "swapped"
    assert way_of(config).startswith("network: swapped")


@pytest.mark.parametrize("numeric", ["piecewise", "piecewise_and_linear", "periodic"])
def test_a_fit_is_bitwise_the_same_alone_and_in_a_stack(splits: Splits, path: str, numeric: str) -> None:
    """Of a width that leaves a rest after the last whole vector, with all that acts on the input."""
    noisy = {"regularization__input_dropout": 0.2, "regularization__mixup": 0.3, "regularization__input_noise": 0.1}
    given = {"network__hidden": [13, 7], "network__numeric": numeric, "trainer__batch_size": 37, **noisy}
    configs = [tabular(path, seed=seed, **given) for seed in range(3)]
    together = fit(configs, splits)
    for config, stacked in zip(configs, together, strict=True):
        (alone,) = fit([config], splits)
        assert alone.history == stacked.history
        for name, tensor in alone.weights.items():
            assert torch.equal(tensor, stacked.weights[name]), name


def test_all_that_regularizes_reaches_it_and_penalties_act_on_embeddings(splits: Splits, path: str) -> None:
    regularized = {f"regularization__{name}": value for name, value in EVERYTHING.items()}
    longer = {"trainer__max_epochs": 30, "optimizer__lr": 0.02}
    small_l2 = {"regularization__l2": 0.3, **longer}
    plain, both, heavy = fit([tabular(path, **each) for each in (longer, {**longer, **regularized}, small_l2)], splits)
    assert plain.metrics["final/train_error"] < 0.1
    assert both.metrics["final/train_error"] < 0.45
    name = "inputs.embeddings.0.weight"
    assert heavy.weights[name].norm() < plain.weights[name].norm() / 3
    assert f"final/weight_norm/{name.removesuffix('.weight')}" in plain.metrics


@pytest.mark.parametrize("network", ["tabular", "mlp"])
def test_dropconnect_leaves_embeddings_and_the_first_layer_whole(splits: Splits, path: str, network: str) -> None:
    config = tabular(path, network__name=network, regularization__dropconnect=0.5)
    stacked = Stack([config], splits).network
    assert [weight.slot.size for weight in stacked.weights[-2:]] == [each.width for each in stacked.weight_droppers]


@pytest.mark.parametrize("numeric", ["piecewise", "periodic"])
def test_gradients_are_those_of_finite_differences(path: str, numeric: str) -> None:
    regularized = {f"regularization__{name}": EVERYTHING[name] for name in ("l2", "input_dropout", "dropout", "mixup")}
    finding = gradcheck(tabular(path, network__numeric=numeric, **regularized))
    assert finding.passed, str(finding)


def test_each_fold_has_the_edges_of_its_own_train_rows(path: str) -> None:
    config = tabular(path, data__folds=3)
    splits = load_splits(config.data)
    stack = Stack([config, config], splits)
    for k in range(6):
        encoder: Any = splits.scalers[k % 3].encoder
        expected = PiecewiseLinear(encoder.layout.quantiles, 16)
        assert torch.equal(stack.network.state(k)["inputs.numbers.low"], expected.low)
    assert not torch.equal(stack.network.state(0)["inputs.numbers.low"], stack.network.state(1)["inputs.numbers.low"])
    known = known_network(config.network, splits.train.x_NI, shape_of(splits))
    assert largest_difference(known.make, known.survey, known.x_B, CPU)[0] < 1e-13
    x_KBI = examples_of(splits.train, slice(0, 5), 6)[0]
    outputs = stack.network.eval()(x_KBI)
    for k in range(6):
        module = known.makes[k % 3]()
        module.load_state_dict(stack.network.state(k))
        torch.testing.assert_close(module.eval()(x_KBI[k]), outputs[k], rtol=1e-5, atol=1e-5)


# Other networks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["mlp", "softmax", "own"])
def test_in_front_of_any_other_network_codes_are_embedded(splits: Splits, path: str, network: str) -> None:
    given = tabular(path, network__name="mlp", network__hidden=[8]) if network == "mlp" else tabular(path)
    settings = {"mlp": given.network, "softmax": small(network__name="softmax").network, "own": own("Plain")}[network]
    known = known_network(settings, splits.train.x_NI, shape_of(splits))
    module: Any = known.make()
    layout = splits.layout
    assert layout is not None
    linear = next(each for each in module.modules() if isinstance(each, nn.Linear))
    assert linear.in_features == layout.n_inputs - 1 + width_of(layout.codes[0][1])
    assert known.choice.way == "swapped"
    assert largest_difference(known.make, known.survey, known.x_B, CPU)[0] < 1e-9
    assert known.survey.weights[0] == "inputs.embeddings.0.weight"


def test_a_network_of_ones_own_that_asks_for_the_layout_gets_it(splits: Splits) -> None:
    module: Any = known_network(own("OfLayout"), splits.train.x_NI, shape_of(splits)).make()
    assert isinstance(module, OfLayout)
    assert module.layout is splits.layout
    assert module.hidden.in_features == splits.n_features


def test_without_codes_another_network_is_as_it_was() -> None:
    x_NI = torch.randn(20, 3)
    layout = Layout(3, (0, 1), (quantiles(x_NI[:, 0]), quantiles(x_NI[:, 1])))
    known = known_network(own("Plain"), x_NI, Shape(3, None, 2, layout))
    assert isinstance(known.make(), Plain)


# Codes stay whole -----------------------------------------------------------------------------------------------------


def test_nothing_that_acts_on_the_input_makes_a_code_that_is_none(splits: Splits, path: str) -> None:
    """A dropped code is that of an unknown category; mixup takes the code of the larger share."""
    names = ("input_dropout", "input_noise", "mixup")
    configs = [tabular(path, seed=s, **{f"regularization__{name}": EVERYTHING[name]}) for s, name in enumerate(names)]
    assert splits.layout is not None
    ((city, _),) = splits.layout.codes
    stack, seen = Stack(configs, splits).train(), list[Tensor]()
    embeddings: Any = stack.network.module
    embeddings.inputs.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    positions_KB = torch.arange(60).repeat(3, 1)
    _, _, batch = stack.losses(positions_KB)
    x_KBI = seen[0].view(3, 60, -1)
    raw_B = splits.train.x_NI[:60, city]
    dropped, noisy, mixed = x_KBI[..., city]
    assert torch.equal(noisy, raw_B)
    assert 5 < int((dropped != raw_B).sum()) < 35
    assert bool(((dropped == raw_B) | (dropped == 0)).all())
    assert batch.mixing is not None
    is_own = float(batch.mixing.share_K[2]) >= 0.5
    assert torch.equal(mixed, raw_B if is_own else raw_B.roll(1))
    numbers = list(splits.layout.numbers)
    assert bool((x_KBI[..., numbers] != splits.train.x_NI[:60, numbers]).any(dim=1).all())


def test_half_precision_rounds_no_code_and_no_number_before_it_is_encoded() -> None:
    """bfloat16 has no whole number between 256 and 258."""
    x_NI = torch.stack([torch.randn(300), torch.arange(300.0)], dim=1)
    layout = Layout(2, (0,), (quantiles(x_NI[:, 0]),), ((1, 300),))
    config = small(network__name="mlp", network__hidden=[4])
    for network in (Network(hidden=(4,)), config.network):
        known = known_network(network, x_NI, Shape(2, None, 2, layout))
        stacked = StackedNetwork(known.make, known.survey, 2, known.x_B, "swapped", dtype=torch.float32, device=CPU)
        for k in range(2):
            stacked.initialize(k, k)
        seen = list[Tensor]()
        inputs: Any = stacked.module.inputs
        inputs.embeddings[0].register_forward_hook(lambda _, __, output, seen=seen: seen.append(output))
        outputs = predict(stacked, x_NI.expand(2, -1, -1), "bf16-mixed")
        embedded = torch.cat([stacked.state(k)["inputs.embeddings.0.weight"] for k in range(2)])
        assert torch.equal(seen[0], embedded)
        torch.testing.assert_close(outputs, stacked(x_NI.expand(2, -1, -1), torch.float32), rtol=0.05, atol=0.05)


def test_rounding_codes_for_a_network_that_takes_them_itself_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [f"person {i % 300}" for i in range(2400)], "bought": ["yes", "no", "no"] * 800})
    frame.to_csv(tmp_path / "many.csv", index=False)
    config = dataclasses.replace(
        tabular(str(tmp_path / "many.csv"), data__categorical=["id"], trainer__precision="bf16-mixed"),
        network=own("OfLayout"),
    )
    with pytest.raises(ConfigError, match=r"^`trainer\.precision is not bf16-mixed with up to \d+ codes"):
        check_network(config)


# Beside it ------------------------------------------------------------------------------------------------------------


def test_what_is_saved_predicts_the_same_of_the_tables_own_rows(splits: Splits, path: str, tmp_path: Path) -> None:
    config = tabular(path)
    (result,) = fit([config], splits)
    fitted = Fitted(config, result.weights, splits.scaler, shape_of(splits))
    frame = pd.read_csv(path).head(20)
    frame.loc[3, "city"] = "a new one"
    fitted.save(tmp_path)
    restored = load_fitted(tmp_path)
    assert restored.shape == dataclasses.replace(fitted.shape)
    np.testing.assert_array_equal(restored.predict(frame), fitted.predict(frame))
    assert np.isfinite(fitted.predict(frame)).all()


def test_what_numbers_become_counts_in_the_memory_of_a_stack(splits: Splits, path: str) -> None:
    of = {
        numeric: known_network(tabular(path, network__numeric=numeric).network, splits.train.x_NI, shape_of(splits))
        for numeric in ("piecewise", "none")
    }
    assert splits.layout is not None
    n = len(splits.layout.numbers)
    assert of["piecewise"].survey.n_values - of["none"].survey.n_values == 16 * n
    assert fitting_stack_size(tabular(path, network__hidden=[2048, 2048]), 1) < fitting_stack_size(tabular(path), 1)


@pytest.mark.parametrize(
    ("words", "overrides"),
    [
        ("`data=table with network=tabular` must hold, but got network.name=tabular.", {"data__name": "wine"}),
        ("`2 <= network.bins <= 64` must hold, but got network.bins=1.", {"network__bins": 1}),
        ("`0 < network.sigma < inf` must hold, but got network.sigma=0.", {"network__sigma": 0}),
        ("`network.hidden[i] >= 1` must hold, but got network.hidden=[0].", {"network__hidden": [0]}),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_one_line(words: str, overrides: dict[str, Any], path: str) -> None:
    given = {"network__name": "tabular", **overrides}
    with pytest.raises(ConfigError) as error:
        small(**given) if "data__name" in overrides else tabular(path, **overrides)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


@pytest.mark.verify
@pytest.mark.parametrize("numeric", ["piecewise", "periodic"])
@pytest.mark.parametrize("folds", [None, 2])
def test_steps_by_graph_end_with_the_same_bits(path: str, numeric: str, folds: int | None) -> None:
    knobs = {
        "network__numeric": numeric,
        "data__folds": folds,
        "regularization__dropout": 0.2,
        "trainer__max_epochs": 4,
    }
    configs = [tabular(path, seed=seed, trainer__batch_size=64, **knobs) for seed in range(2)]
    assert_same(configs, load_splits(configs[0].data))
