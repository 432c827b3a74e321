"""(d) The products of (c) alone, of its shapes and in its processes: what the machine can do.

Batched over K, into tensors that are already there: a step's forward products, the gradients of the weights, and the
gradients of the inputs but for the first layer's, which nobody needs. Convolutions go fit by fit, with their channels
last on a CPU. Validation's products are not among them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from rivals.crew import ROUNDED, Clock, Done, Slice, Task
from rivals.workloads import BATCH, KERNEL

Step = Callable[[], object]


def prepare(task: Task) -> Slice:
    workload, seconds = task.workload, task.options["product_seconds"]
    like = torch.empty(0, device=task.device, dtype=torch.bfloat16 if task.precision == ROUNDED else torch.float32)
    torch.manual_seed(0)
    is_first = not workload.convolutions
    steps = stacked_products(task.k, workload.dense, like, first_is_input=is_first)
    for i, (n_in, n_out, side) in enumerate(workload.convolutions):
        steps += [convolution(n_in, n_out, side, like, of_input=i > 0)] * task.k

    def run(seed: int, clock: Clock) -> Done:
        for step in steps * 3:
            step()
        clock.start()
        n = 0
        while time.monotonic() < clock.started + seconds:
            for step in steps:
                step()
            n += 1
        clock.stop()
        return Done(task.k * n, None)

    return run


def stacked_products(k: int, sizes: tuple[int, ...], like: Tensor, *, first_is_input: bool = True) -> list[Step]:
    """In the order of a step: forward through the layers, then back. `like`: of which type, and on which device."""
    values = [like.new_empty(k, BATCH, size).uniform_() for size in sizes]
    grads = [like.new_empty(k, BATCH, size).uniform_() for size in sizes]
    weights = [like.new_empty(k, n_in, n_out).normal_() / n_in**0.5 for n_in, n_out in pairwise(sizes)]
    forward: list[Step] = []
    backward: list[Step] = []
    for i, weight in enumerate(weights):
        forward.append(_product(values[i], weight, values[i + 1]))
        back = [_product(values[i].transpose(1, 2), grads[i + 1], torch.empty_like(weight))]
        if i > 0 or not first_is_input:
            back.append(_product(grads[i + 1], weight.transpose(1, 2), grads[i]))
        backward = back + backward
    return forward + backward


def convolution(n_in: int, n_out: int, side: int, like: Tensor, *, of_input: bool) -> Step:
    """Of one fit: forward, then the gradients of the weight, of the bias and, where asked for, of the input."""
    order = torch.channels_last if like.device.type == "cpu" else torch.contiguous_format
    images, grads, weight = (
        like.new_empty(shape).uniform_().contiguous(memory_format=order)
        for shape in ((BATCH, n_in, side, side), (BATCH, n_out, side, side), (n_out, n_in, KERNEL, KERNEL))
    )
    bias, (stride, padding) = like.new_zeros(n_out), ([1, 1], [KERNEL // 2] * 2)

    def step() -> None:
        torch.conv2d(images, weight, bias, stride, padding)
        torch.ops.aten.convolution_backward(
            *(grads, images, weight, [n_out], stride, padding, [1, 1], False, [0, 0], 1), [of_input, True, True]
        )

    return step


def _product(left: Tensor, right: Tensor, out: Tensor) -> Step:
    return lambda: torch.bmm(left, right, out=out)
