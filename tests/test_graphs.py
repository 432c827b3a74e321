"""A step that was captured as a whole is the step: seen on a CPU, with operations that are repeated as a graph repeats
them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from captured import Emulated
from ridgeline.config import Config
from ridgeline.data import Splits, load_splits
from ridgeline.regularizers.weight_average import WeightAverage
from ridgeline.stack.callbacks import make_callbacks
from ridgeline.stack.fitting import build_trainer, quiet_lightning
from ridgeline.stack.graphs import Graphs
from ridgeline.stack.module import Stack
from ridgeline.stack.whole_optimizer import WholeOptimizer
from settings import small
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


def test_a_perceptrons_steps_by_graph_end_with_the_same_bits(digits: Splits) -> None:
    assert_same(fits(), digits)


@pytest.mark.verify
@pytest.mark.parametrize("effect", EFFECTS)
def test_with_each_regularizer(digits: Splits, effect: str) -> None:
    configs = fits(**EFFECTS[effect])
    assert_same(configs, load_splits(configs[0].data))


@pytest.mark.parametrize(
    "network", [name if name == "mlp" else pytest.param(name, marks=pytest.mark.verify) for name in NETWORKS]
)
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
