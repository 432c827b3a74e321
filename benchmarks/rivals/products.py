"""(d) The matrix products of (c) alone, of its shapes and in its processes: what the machine can do.

Batched over K, into tensors that are already there: a step's forward products, the gradients of the weights, and the
gradients of the inputs but for the first layer's, which nobody needs. Validation's products are not among them.
"""

from __future__ import annotations

import time
from itertools import pairwise

import torch
from torch import Tensor

from rivals.crew import Clock, Done, Slice, Task
from rivals.workloads import BATCH

Product = tuple[Tensor, Tensor, Tensor]
"""Two factors and where their product goes."""


def prepare(task: Task) -> Slice:
    workload, seconds = task.workload, task.options["product_seconds"]
    products = stacked_products(workload.k, workload.sizes)

    def step() -> None:
        for left, right, out in products:
            torch.bmm(left, right, out=out)

    def run(seed: int, clock: Clock) -> Done:
        for _ in range(3):
            step()
        clock.start()
        steps = 0
        while time.monotonic() < clock.started + seconds:
            step()
            steps += 1
        clock.stop()
        return Done(workload.k * steps, None)

    return run


def stacked_products(k: int, sizes: tuple[int, ...]) -> list[Product]:
    """In the order of a step: forward through the layers, then back."""
    torch.manual_seed(0)
    values = [torch.rand(k, BATCH, size) for size in sizes]
    grads = [torch.rand(k, BATCH, size) for size in sizes]
    weights = [torch.randn(k, n_in, n_out) / n_in**0.5 for n_in, n_out in pairwise(sizes)]
    forward: list[Product] = []
    backward: list[Product] = []
    for i, weight in enumerate(weights):
        forward.append((values[i], weight, values[i + 1]))
        back = [(values[i].transpose(1, 2), grads[i + 1], torch.empty_like(weight))]
        if i > 0:
            back.append((grads[i + 1], weight.transpose(1, 2), grads[i]))
        backward = back + backward
    return forward + backward
