"""Is a network with K folded into its batch the same network? Two fits of it against two plain copies, one step each.

K = 2 fits, B batch, O outputs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.networks.stacking.network import StackedNetwork, Way
from ridgeline.networks.stacking.noise import KeyedNoise
from ridgeline.networks.stacking.one_pass import Make
from ridgeline.networks.stacking.survey import Survey

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Relative to the largest number of its kind. float64 where the network can compute in it: then rounding cannot be
taken for a fault, nor a fault for rounding."""
MEASURED_STEPS = 3
RATES = (0.3, 0.6)
"""Of dropout in the two fits, so that a mask that goes to the wrong fit shows."""


@dataclass(frozen=True)
class Choice:
    """`why`: one line that says the way, and the reason or what was proved."""

    way: Way
    why: str


def choose(make: Make, survey: Survey, x_B: Tensor, device: torch.device, *, is_ours: bool = False) -> Choice:
    """Swapped where that is the same, and the faster way: on a CPU for a network without convolutions.

    The clock is not asked: what it said would change the last bits of a study from one start to the next. `is_ours`:
    a network of this package, of which its tests have proved that it is the same.
    """
    layers = f"{survey.n_parameters:,} parameters"
    if survey.why_looped is not None:
        return Choice("looped", f"network: looped, for {survey.why_looped}; {layers}")
    if survey.has_convolutions and device.type == "cpu":
        return Choice("looped", f"network: looped, which is faster for convolutions on a CPU; {layers}")
    kinds = ", ".join(f"{survey.layer_kinds.count(kind)} {kind}" for kind in dict.fromkeys(survey.layer_kinds))
    if is_ours:
        return Choice("swapped", f"network: swapped ({kinds}); {layers}")
    half = len(x_B) // 2
    if torch.allclose(x_B[:half].mean(0), x_B[half:].mean(0)):  # a mean over both fits would be that of either
        return Choice("looped", f"network: looped, for too few different examples are there to try it; {layers}")
    try:
        difference, dtype = largest_difference(make, survey, x_B, device)
    except Exception as error:  # whatever the author's code says to a batch of another size
        line = str(error).strip().splitlines()[0] if str(error).strip() else ""
        return Choice("looped", f"network: looped, for folded into a batch it raises {type(error).__name__}: {line}")
    if not difference <= TOLERANCE[dtype]:
        return Choice("looped", f"network: looped, for folded into a batch it differs by {difference:.1e}")
    return Choice("swapped", f"network: swapped ({kinds}), equal to plain copies within {difference:.0e}; {layers}")


def largest_difference(make: Make, survey: Survey, x_B: Tensor, device: torch.device) -> tuple[float, torch.dtype]:
    """Of outputs, gradients and buffers, in training and in evaluation, and the type that it was computed in."""
    try:
        copies = _pair(make, survey, x_B, device, "looped", torch.float64)
        plain = _step(copies, x_B)
        dtype = torch.float64
    except (RuntimeError, TypeError):  # the author's code has float32 in it
        dtype = torch.float32
        copies = _pair(make, survey, x_B, device, "looped", dtype)
        plain = _step(copies, x_B)
    pair = _pair(make, survey, x_B, device, "swapped", dtype)
    folded = _step(pair, x_B)
    return max(_difference(ours, theirs) for ours, theirs in zip(folded, plain, strict=True)), dtype


def measured_gain(make: Make, survey: Survey, x_B: Tensor, device: torch.device, batch: int) -> float:
    """How many times as long the looped step of two fits takes as the swapped one, on batches of so many examples."""
    x_B = x_B.repeat(-(-2 * batch // len(x_B)), *(1 for _ in survey.example_shape))[: 2 * batch]
    seconds = dict[Way, float]()
    for way in ("looped", "swapped"):
        pair = _pair(make, survey, x_B, device, way, torch.float32)
        _step(pair, x_B)  # what only the first one waits for
        began = time.perf_counter()
        for _ in range(MEASURED_STEPS):
            _step(pair, x_B)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds[way] = time.perf_counter() - began
    return seconds["looped"] / seconds["swapped"]


def _pair(
    make: Make, survey: Survey, x_B: Tensor, device: torch.device, way: Way, dtype: torch.dtype
) -> StackedNetwork:
    pair = StackedNetwork(make, survey, 2, x_B, way, dtype=dtype, device=device)
    for k in range(2):
        pair.initialize(k, k)
    return pair


def _step(pair: StackedNetwork, x_B: Tensor) -> list[list[Tensor]]:
    """Outputs in training, gradients, state after it, outputs in evaluation."""
    device, dtype = pair.rows.state_KS.device, pair.rows.state_KS.dtype
    half = len(x_B) // 2  # other examples for each fit: a mean over both would not be that of either
    x_KBI = x_B[: 2 * half].unflatten(0, (2, half)).flatten(2).to(device, dtype)
    noise = KeyedNoise(device)
    sites = [dropout for dropout in pair.dropouts if dropout.width]
    for dropout in sites:
        dropout.set_rates(RATES)
        total = dropout.width * x_KBI.shape[1]
        words = noise.bits_KN([0, 1], [0, 0], [True, True], -(-total // 4)).view(torch.int16)[:, :total]
        dropout.bits = words.reshape(2, x_KBI.shape[1], -1)  # type: ignore[union-attr]
    pair.train()
    outputs_KBO = pair(x_KBI)
    slope = torch.arange(outputs_KBO[0].numel(), device=device, dtype=dtype).cos().view(outputs_KBO.shape[1:])
    pair.rows.differentiate((outputs_KBO * slope).sum(dim=(1, 2)))
    grads = [pair.rows.grad_K(slot) for slot in pair.rows.slots.values()]
    in_module = [
        slot.as_in_module(grad) for slot, grad in zip(pair.rows.slots.values(), grads, strict=True) if grad is not None
    ]
    state = [tensor for k in range(2) for tensor in pair.state(k).values()]
    with torch.no_grad():
        evaluated_KBO = pair.eval()(x_KBI)
    return [[outputs_KBO.detach()], in_module, state, [evaluated_KBO]]


def _difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest, relative to the largest number of all: a gradient that is nothing but rounding is no measure."""
    if not ours:
        return 0.0
    if any(a.shape != b.shape for a, b in zip(ours, theirs, strict=True)):
        return float("inf")
    largest = max((float(tensor.abs().max()) for tensor in theirs if tensor.numel()), default=0.0)
    gaps = [float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True) if a.numel()]
    return max(gaps, default=0.0) / max(largest, torch.finfo(torch.float32).tiny)
