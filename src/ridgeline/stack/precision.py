"""What `trainer.precision` rounds: the factors of the network's products, never weights, losses or optimizer states.

The names are Lightning's. Its plugin is not used: the context that it opens ends with the step, while the weights that
are kept are measured outside of it, and gradients written straight into rows do not go through autocast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ridgeline.config import Precision


def predict(network: nn.Module, x_KBI: Tensor, precision: Precision) -> Tensor:
    """The network's logits in the type of `x`: its layers compute in the type that comes in, with float32 weights."""
    if precision != "bf16-mixed":
        logits_KBC: Tensor = network(x_KBI)
        return logits_KBC
    return network(x_KBI, torch.bfloat16).to(x_KBI.dtype)


@contextmanager
def float32_products(precision: Precision) -> Iterator[None]:
    """Rounded to TensorFloat-32 by `tf32`, exact by the others; on leaving, the process has what it had before."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def no_denormals() -> Iterator[None]:
    """Numbers too small for full precision, below 1e-38 in float32, are 0 on this thread.

    A large penalty takes all weights of a network there, and a CPU then multiplies twenty times slower.
    """
    is_so = bool(torch.full((1,), 1e-40).mul(1.0) == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(is_so)
