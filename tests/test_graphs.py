"""A step that was captured as a whole is the step: seen on a CPU, with operations that are repeated as a graph repeats
them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from captured import Emulated
from ridgeline.config import Config, parse
from ridgeline.data import Splits, load_splits
from ridgeline.regularizers import Effect
from ridgeline.regularizers.weight_average import WeightAverage
from ridgeline.stack import graphs
from ridgeline.stack.callbacks import make_callbacks
from ridgeline.stack.fitting import build_trainer, quiet_lightning
from ridgeline.stack.graphs import MOST, WARM, Graphs, Outputs, why_not_captured
from ridgeline.stack.module import Stack
from ridgeline.stack.whole_optimizer import WholeOptimizer
from settings import SMALL, small, tree
from strange_networks import STRANGE
from test_cuda_path import EFFECTS, EVERYTHING, NETWORKS


def as_on_a_gpu(configs: Sequence[Config], splits: Splits, capture: Emulated | None) -> Stack:
    """One optimizer for all rows, noise by the counter; with graphs, or without."""
    stack = Stack(configs, splits)
    optimizer = stack.optimizer = WholeOptimizer(configs[0].optimizer, stack.rows)
    for k, config in enumerate(stack.configs):
        optimizer.load(k, config)
    stack.noise.is_counted = True
    stack.graphs = None if capture is None else Graphs(capture)
    stack._loaded = []
    return stack


def fits(k: int = 3, **knobs: Any) -> list[Config]:
    """Knobs of their own for each."""

    def own(value: Any, i: int) -> Any:
        return value * (1 - i / 1000) if isinstance(value, float) else value

    return [
        small(seed=i, optimizer__lr=1e-3 * (i + 1), **{name: own(value, i) for name, value in knobs.items()})
        for i in range(k)
    ]


def trained(configs: Sequence[Config], splits: Splits, capture: Emulated | None, *watchers: pl.Callback) -> Stack:
    stack = as_on_a_gpu(configs, splits, capture)
    callbacks = [*make_callbacks(configs[0]), *watchers]
    with quiet_lightning():
        trainer = build_trainer(stack, callbacks, max_epochs=configs[0].trainer.max_epochs)
        trainer.fit(stack)
    assert trainer.global_step == max(record.step for record in stack.records)
    return stack


def assert_same(
    configs: Sequence[Config], splits: Splits, watcher: Callable[[], pl.Callback] | None = None
) -> Emulated:
    capture = Emulated()
    stacks = [trained(configs, splits, own, *([] if watcher is None else [watcher()])) for own in (None, capture)]
    by_hand, by_graph = stacks
    assert by_graph.graphs is not None
    assert by_graph.graphs.why_not is None
    assert capture.n_captured > 0
    assert by_graph.graphs.n_replayed > 0
    assert torch.equal(by_graph.rows.state_KS, by_hand.rows.state_KS)
    assert torch.equal(by_graph.best_KS, by_hand.best_KS)
    for ours, theirs in zip(by_graph.records, by_hand.records, strict=True):
        assert ours.history == theirs.history
        assert ours.step == theirs.step
    return capture


OPTIMIZERS: list[dict[str, Any]] = [
    {"optimizer__name": "adamw", "optimizer__weight_decay": 0.1},
    {"optimizer__name": "sgd", "optimizer__momentum": 0.9, "optimizer__nesterov": True},
]


@pytest.mark.parametrize(
    "knobs",
    [{}, *(pytest.param(own, marks=pytest.mark.verify) for own in [{"trainer__precision": "bf16-mixed"}, *OPTIMIZERS])],
    ids=str,
)
def test_a_perceptrons_steps_by_graph_end_with_the_same_bits(digits: Splits, knobs: dict[str, Any]) -> None:
    assert_same(fits(**knobs), digits)


@pytest.mark.verify
@pytest.mark.parametrize("effect", EFFECTS)
def test_with_each_regularizer(digits: Splits, effect: str) -> None:
    configs = fits(**EFFECTS[effect])
    assert_same(configs, load_splits(configs[0].data))


@pytest.mark.verify
@pytest.mark.parametrize("network", NETWORKS)
def test_with_each_network_and_all_of_them(network: str) -> None:
    configs = fits(**{**EVERYTHING, **NETWORKS[network]})
    assert_same(configs, load_splits(configs[0].data))


def test_a_number_of_pythons_that_changes_from_step_to_step_would_be_seen(
    digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so would a number that the host reads: then all steps go on as they were."""
    configs = fits(2, regularization__weight_average=0.9, trainer__max_epochs=1)

    def by_python(effect: WeightAverage) -> None:
        assert effect.values_KS is not None
        (shares,) = effect.numbers()
        effect.values_KS.lerp_(effect.fits.rows.state_KS, shares[0])

    monkeypatch.setattr(WeightAverage, "after_step", by_python)
    by_hand, by_graph = (trained(configs, digits, own) for own in (None, Emulated()))
    assert by_graph.graphs is not None
    assert by_graph.graphs.n_replayed > 0
    assert not torch.equal(by_graph.best_KS, by_hand.best_KS)
    monkeypatch.setattr(WeightAverage, "after_step", lambda effect: effect.fits.rows.values_KP.sum().item())
    by_hand, refused = (trained(configs, digits, own) for own in (None, Emulated()))
    assert refused.graphs is not None
    assert "waits for the device" in str(refused.graphs.why_not)
    assert torch.equal(refused.rows.state_KS, by_hand.rows.state_KS)


class Refill(pl.Callback):
    """Other fits come into slots at the ends of the second and the fourth epoch."""

    def __init__(self, *coming: tuple[int, Config]) -> None:
        self._coming = dict(zip((1, 3), coming, strict=False))

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        if trainer.current_epoch in self._coming:
            stack.load(*self._coming.pop(trainer.current_epoch))


SCHEDULES: dict[str, Any] = {
    "callbacks__dropout_schedule": {"name": "curriculum", "epochs": 4},
    "callbacks__penalty_schedule": {"name": "early", "epochs": 3},
    "callbacks__early_stopping": {"patience": 1},
    "lr_schedule__name": "cosine",
    "regularization__dropout": [0.3, 0.0],
    "regularization__l2": 1e-3,
    "regularization__weight_average": 0.9,
    "trainer__max_epochs": 6,
}


def test_across_epochs_with_schedules_early_stopping_and_a_figure_of_the_whole_split(digits: Splits) -> None:
    capture = assert_same(fits(**SCHEDULES, metric="val/auroc", search__direction="maximize"), digits)
    assert capture.n_captured >= 3  # without dropout and with it; without a penalty; the last batch of an epoch


ALL: dict[str, Any] = {"regularization__dropout": 0.2, "regularization__mixup": 0.4}
COMING: dict[str, tuple[dict[str, Any], list[tuple[int, dict[str, Any]]]]] = {
    "of the same structure": (ALL, [(1, {}), (0, {})]),
    "with a regularizer that no fit had": (ALL, [(1, {}), (0, {"regularization__input_noise": 0.1})]),
    "without one that all had, and with it again": (ALL, [(1, {"regularization__mixup": 0.0}), (1, {})]),
    "where another layer drops": (
        {"regularization__dropout": [0.2, 0.0]},
        [(1, {"regularization__dropout": [0.2, 0.2]}), (0, {})],
    ),
}


@pytest.mark.parametrize(
    ("coming", "network"),
    [
        ("without one that all had, and with it again", "mlp"),
        pytest.param("of the same structure", "mlp", marks=pytest.mark.verify),
        pytest.param("with a regularizer that no fit had", "mlp", marks=pytest.mark.verify),
        pytest.param("with a regularizer that no fit had", "cnn", marks=pytest.mark.verify),
        pytest.param("where another layer drops", "mlp", marks=pytest.mark.verify),
    ],
)
def test_when_other_fits_come_into_the_slots(digits: Splits, coming: str, network: str) -> None:
    """With rates and seeds of their own."""
    shared, others = COMING[coming]
    knobs = {**NETWORKS[network], **shared, "trainer__max_epochs": 7}
    fresh = [(slot, small(seed=17 + slot, optimizer__lr=0.01, **{**knobs, **own})) for slot, own in others]
    assert_same(fits(**knobs), digits, lambda: Refill(*fresh))


class Scaled(nn.Module):
    """With a parameter of its own, for which there is no twin, and a constant that no file of its state has."""

    shift: Tensor

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(n_inputs, 12), nn.BatchNorm1d(12), nn.Linear(12, n_outputs)
        self.scale, self.drop = nn.Parameter(torch.ones(12)), nn.Dropout(0.1)
        self.register_buffer("shift", torch.linspace(0, 0.1, 12), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.drop(torch.relu(self.norm(self.first(x)) * self.scale + self.shift)))
        return outputs


@pytest.mark.verify
@pytest.mark.parametrize("target", ["modules.Sized", "modules.OfImages", "test_graphs.Scaled"])
def test_with_networks_of_the_users_own(digits: Splits, target: str) -> None:
    """Of which the third is looped over, and has other tensors when another fit comes."""
    knobs = {"network___target_": target, "regularization__l2": 1e-3, "trainer__max_epochs": 6}
    assert_same(fits(**knobs), digits, lambda: Refill((1, small(seed=17, **knobs)), (0, small(seed=18, **knobs))))


@pytest.mark.verify
@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_network_is_not_captured_or_ends_with_the_same_bits(digits: Splits, kind: type[nn.Module]) -> None:
    configs = fits(2, network___target_=f"strange_networks.{kind.__name__}", regularization__l2=1e-3)
    network = Stack(configs, digits).network
    if why_not_captured(configs[0], network) is None:
        assert_same(configs, digits)
    else:
        assert network.way == "looped"


class Shrinking(Effect):
    def on_gradients(self) -> None:
        self.fits.rows.grads_KP.mul_(1 / (1 + self.fits.steps[0]))


@pytest.mark.parametrize(
    ("knobs", "why"),
    [
        ({"optimizer": {"_target_": "torch.optim.Adamax"}}, "Adamax counts its steps by itself"),
        ({"regularization__mine": {"_target_": "test_graphs.Shrinking"}}, "Shrinking may count steps by itself"),
        ({"callbacks__mine": {"_target_": "test_graphs.Refill"}}, "Refill may look at a step from within"),
        ({"network___target_": "modules.Noisy"}, "its forward draws random numbers of its own"),
        ({}, None),
    ],
)
def test_what_may_do_another_thing_in_each_step_is_not_captured(digits: Splits, knobs: Any, why: str | None) -> None:
    groups = {key.split("__")[0] for key in knobs}
    settings = {key: value for key, value in SMALL.items() if key.split(".")[0] not in groups}
    config = parse(tree({**settings, **{key.replace("__", "."): value for key, value in knobs.items()}}))
    found = why_not_captured(config, Stack([config], digits).network)
    assert found is None if why is None else why in str(found)


class Nothing(Emulated):
    """A graph that does nothing."""

    def capture(self, step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        _, kept = super().capture(step)
        return lambda: None, kept


class Refusing(Emulated):
    def capture(self, step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        super().capture(step)
        raise torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing")


class Full(Emulated):
    """Memory that the step by itself would fit into."""

    def warm(self, step: Callable[[], Outputs]) -> Outputs:
        super().warm(step)
        raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    ("capture", "warm", "why"),
    [
        (Nothing(), WARM, "ArithmeticError: a captured step differs from the same step by"),
        (Refusing(), WARM, "operation not permitted when stream is capturing"),
        (Full(), 0, "OutOfMemoryError: CUDA out of memory"),
    ],
    ids=["nothing", "refusing", "full"],
)
def test_where_a_graph_is_not_the_step_all_go_on_as_they_were_and_none_is_lost_or_done_twice(
    digits: Splits,
    capture: Emulated,
    warm: int,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(graphs, "WARM", warm)
    graphs.say.cache_clear()
    configs = fits(2, regularization__weight_average=0.9, trainer__max_epochs=2)
    by_hand, refused = (trained(configs, digits, own) for own in (None, capture))
    assert refused.graphs is not None
    assert why in str(refused.graphs.why_not)
    assert refused.graphs.n_replayed == 0
    assert torch.equal(refused.rows.state_KS, by_hand.rows.state_KS)
    assert [record.history for record in refused.records] == [record.history for record in by_hand.records]
    (line,) = [record.message for record in caplog.records if record.name == graphs.__name__]
    assert line.startswith("Steps are launched operation by operation, and not as graphs: ")


def test_an_error_of_the_step_itself_is_raised(digits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = as_on_a_gpu(fits(2), digits, Emulated())
    stack.optimizers = lambda: stack.optimizer.torch_optimizer  # type: ignore[method-assign,return-value,assignment]
    stack.set_epoch([1.0, 1.0], stack.configs)
    batch = next(iter(stack.train_dataloader()))
    for _ in range(WARM + 1):
        stack.training_step(batch, 0)
    monkeypatch.setattr(WholeOptimizer, "step_", lambda optimizer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stack.training_step(batch[:, :7], 0)


def test_so_many_graphs_are_kept_and_no_more() -> None:
    """Of structures that come again and again, each a size of batch here."""
    value, capture = torch.zeros(2, 3), Emulated()
    known = Graphs(capture)

    def step(positions_KB: Tensor) -> Outputs:
        value.add_(positions_KB.sum())
        return (positions_KB * 2,)

    for n in range(1, 2 * MOST + 1):
        for _ in range(WARM + 2):
            (twice,) = known.step(step, torch.ones(2, n), "structure", [value], [])
            assert torch.equal(twice, torch.full((2, n), 2.0))
    assert torch.equal(value, torch.full((2, 3), 2.0 * (WARM + 2) * sum(range(1, 2 * MOST + 1))))
    assert (capture.n_captured, known.n_replayed, len(known._known)) == (2 * MOST, 2 * MOST, MOST)
