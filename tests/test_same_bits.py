"""What promise 2 rests on: an operation gives a fit the same bits alone and in a stack, on every x86 CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ridgeline.data import load_splits
from ridgeline.networks.layers.activations import ACTIVATIONS, sigmoid_
from ridgeline.stack.fitting import fit
from settings import small
from test_promise_alone_equals_stacked import assert_same_bits
from twins import linear_of

INSTRUCTION_SETS = [{"ATEN_CPU_CAPABILITY": "default"}, {"ATEN_CPU_CAPABILITY": "avx2"}, {"MKL_CBWR": "COMPATIBLE"}]
PROMISES = ("test_same_bits.py", "test_promise_alone_equals_stacked.py", "test_stream.py")


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_activation_of_a_number_has_the_same_bits_wherever_it_stands(name: str, dtype: torch.dtype) -> None:
    activation = ACTIVATIONS[name]
    x_N = torch.randn(5000, generator=torch.Generator().manual_seed(0)).to(dtype) * 3
    whole_N = activation(x_N.clone())
    start = 0
    for length in range(1, 99):
        part = slice(start, start + length)
        assert torch.equal(activation(x_N[part].clone()), whole_N[part])
        start += length


def test_sigmoid_and_its_gradient_are_torchs() -> None:
    x_N = torch.linspace(-30, 30, 333, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(sigmoid_(x_N * 1), torch.sigmoid(x_N), rtol=1e-14, atol=0)
    assert torch.autograd.gradcheck(lambda x: sigmoid_(x * 1), x_N)


def outputs_and_gradients(
    k: slice, x_KBI: Tensor, weight_KIO: Tensor, grad_KBO: Tensor, dtype: torch.dtype
) -> list[Tensor]:
    n, n_inputs, n_outputs = weight_KIO[k].shape
    linear = linear_of(weight_KIO[k])
    rows_KP = torch.zeros(n, n_inputs * n_outputs + 3)  # as a stack has them: a fit's gradients lie side by side
    linear.bias.grad, linear.written.is_so = torch.zeros(n, n_outputs), False
    linear.weight.grad = rows_KP[:, : n_inputs * n_outputs].view(linear.weight.shape)
    x = x_KBI[k].to(dtype).requires_grad_()
    y_KBO = linear(x)
    y_KBO.backward(grad_KBO[k].to(dtype))
    assert x.grad is not None
    return [y_KBO.detach(), x.grad, linear.weight.grad.clone()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("n_outputs", [1, 2, 10, 17, 65])
@pytest.mark.parametrize("n_inputs", [1, 13, 30, 65])
def test_products_of_any_width_have_the_same_bits_alone_and_stacked(
    n_inputs: int, n_outputs: int, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(n_inputs * 100 + n_outputs)
    for batch in (1, 7, 33, 100):
        shapes = [(5, batch, n_inputs), (5, n_inputs, n_outputs), (5, n_outputs, batch)]
        x_KBI, weight_KIO, grad_KOB = (torch.randn(shape, generator=generator) for shape in shapes)
        given = x_KBI, weight_KIO, grad_KOB.transpose(1, 2)  # as the loss leaves it, with classes in the middle
        stacked = outputs_and_gradients(slice(0, 5), *given, dtype)
        for some in (slice(1, 2), slice(3, 5)):
            for one, other in zip(outputs_and_gradients(some, *given, dtype), stacked, strict=True):
                assert torch.equal(one, other[some]), (batch, some)


SHAPES: dict[str, dict[str, Any]] = {
    "one unit": {"network__hidden": [1], "network__activation": "tanh"},
    "ends in one unit": {"network__hidden": [64, 1], "network__activation": "sigmoid", "data__examples": 100},
    "odd widths": {"network__hidden": [31, 17], "trainer__batch_size": 33},
    "sigmoid": {"network__hidden": [13, 5], "network__activation": "sigmoid", "trainer__batch_size": 7},
    "one logit": {"data__name": "breast_cancer", "network__output": "sigmoid", "network__activation": "sigmoid"},
    "one logit of features": {
        "data__name": "moons",
        "data__examples": 203,
        "data__noise": 0.2,
        "network__name": "softmax",
        "network__output": "sigmoid",
        "trainer__batch_size": 20,  # the last batch of an epoch is a single example
    },
    "bfloat16": {"network__hidden": [33, 1], "trainer__precision": "bf16-mixed"},
    "augmented": {"data__standardize": "all", "augmentation__rotate": 10.0, "augmentation__brightness": 0.3},
    "folds": {
        "data__name": "wine",
        "data__folds": 3,
        "data__examples": 100,
        "network__hidden": [9],
        "network__activation": "sigmoid",
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_fit_of_any_shape_ends_bitwise_the_same_alone_and_stacked(shape: str) -> None:
    shared = {"data__examples": 170, "trainer__max_epochs": 2, **SHAPES[shape]}
    configs = [small(**shared, seed=seed, optimizer__lr=10**-seed, regularization__l2=1e-3) for seed in (1, 2, 3)]
    splits = load_splits(configs[0].data)
    for config, stacked in zip(configs, fit(configs, splits), strict=True):
        assert_same_bits(fit([config], splits)[0], stacked)


@pytest.mark.verify
@pytest.mark.parametrize("setting", INSTRUCTION_SETS, ids=lambda setting: "=".join(*setting.items()))
def test_promises_hold_on_other_instruction_sets(setting: dict[str, str]) -> None:
    """What another CPU does, on this one: torch and MKL read these variables when they start."""
    files = [str(Path(__file__).with_name(name)) for name in PROMISES]
    chosen = ["-m", "not verify", "-k", "not plain_torch and not memory and not whenever and not faster"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *chosen, *files]
    ended = subprocess.run(command, env={**os.environ, **setting}, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout[-3000:]
