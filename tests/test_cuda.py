"""What holds on CUDA: the host waits for nothing in a step, numbers near the CPU's, slots that do not matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch

from operations import Operations
from ridgeline.config import Config
from ridgeline.data import Splits
from ridgeline.stack.callbacks import Schedules
from ridgeline.stack.fitting import build_trainer, fit
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitResult
from settings import small

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

KNOBS = [
    {"seed": 1, "regularization__l2": 1e-3, "regularization__dropout": [0.3, 0.1]},
    {"seed": 2, "regularization__dropout": 0.5, "regularization__input_dropout": 0.2},
    {"seed": 3, "regularization__l1": 1e-4, "optimizer__lr": 1e-2, "regularization__label_smoothing": 0.1},
    {"seed": 4, "regularization__l2": 0.1, "optimizer__gradient_clip_val": 0.5, "regularization__max_norm": 1.0},
    {"seed": 5, "regularization__weight_average": 0.9, "regularization__input_noise": 0.1},
    {"seed": 6, "regularization__group_lasso": 1e-3, "regularization__mixup": 0.4},
    {"seed": 7, "regularization__dropconnect": 0.3},
]


def configs(**shared: object) -> list[Config]:
    return [small(**{**knobs, **shared}) for knobs in KNOBS]


@pytest.fixture(scope="module")
def cuda_digits(digits: Splits) -> Splits:
    return replace(digits, train=digits.train.to("cuda"), validation=digits.validation.to("cuda"))


class Watch(pl.Callback):
    """Notes a step's operations; on CUDA an operation that waits for the device is an error."""

    def __init__(self) -> None:
        self.operations = Operations()

    def on_train_batch_start(self, trainer: pl.Trainer, stack: pl.LightningModule, *args: object) -> None:
        self.operations.__enter__()
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(self, trainer: pl.Trainer, stack: pl.LightningModule, *args: object) -> None:
        self.operations.__exit__(None, None, None)
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_host_reads_no_tensor_in_a_step(digits: Splits, optimizer: str, device: str) -> None:
    splits = replace(digits, train=digits.train.to(device), validation=digits.validation.to(device))
    stack, watch = Stack(configs(optimizer__name=optimizer), splits), Watch()
    stack.graphs = None  # each operation is seen
    build_trainer(stack, [Schedules(), watch], max_epochs=1).fit(stack)
    assert any("bmm" in name for name in watch.operations.names)
    waiting = ("_local_scalar_dense", "nonzero", "masked_select", "unique")
    assert [name for name in watch.operations.names if name.split(".")[1] in waiting] == []


@needs_cuda
def test_numbers_on_cuda_are_those_of_the_cpu(digits: Splits, cuda_digits: Splits) -> None:
    """Without dropout and noise, which each device draws on its own: loss within 1%, error within half a point."""
    baseline = configs(regularization__dropout=0.0, regularization__input_dropout=0.0, regularization__input_noise=0.0)
    baseline = [config for config in baseline if config.regularization.dropconnect == 0]
    for on_cpu, on_cuda in zip(fit(baseline, digits), fit(baseline, cuda_digits), strict=True):
        assert on_cuda.value == pytest.approx(on_cpu.value, rel=0.01)
        assert on_cuda.metrics["final/val_error"] == pytest.approx(on_cpu.metrics["final/val_error"], abs=0.005)


@needs_cuda
@pytest.mark.parametrize("precision", ["32-true", "tf32", "bf16-mixed"])
def test_slot_and_neighbours_leave_a_fits_bits_unchanged_on_cuda(cuda_digits: Splits, precision: str) -> None:
    fits = configs(trainer__precision=precision)
    forward, backward = fit(fits, cuda_digits), fit(fits[::-1], cuda_digits)[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert_same_bits(one, other)


@needs_cuda
def test_steps_by_graph_are_the_steps_on_cuda(cuda_digits: Splits) -> None:
    by_hand, by_graph = (Stack(configs(), cuda_digits) for _ in range(2))
    by_hand.graphs = None
    for stack in (by_hand, by_graph):
        build_trainer(stack, [Schedules()], max_epochs=3).fit(stack)
    assert by_graph.graphs is not None
    assert by_graph.graphs.why_not is None
    assert by_graph.graphs.n_replayed > 0
    torch.testing.assert_close(by_graph.best_KS, by_hand.best_KS, rtol=1e-4, atol=1e-5)


def assert_same_bits(one: FitResult, other: FitResult) -> None:
    assert one.history == other.history
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
