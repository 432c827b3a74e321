"""`trainer.precision=auto`: products in bfloat16 where a measured one says that it pays, and else in float32."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal[
    "32-true",
    "tf32",
    "bf16-mixed",
    "auto",
    "bf16-true",
    "16-mixed",
    "16-true",
    "64-true",
    "transformer-engine",
    "transformer-engine-float16",
]
"""Of the network's products; the names are Lightning's, and NVIDIA's for what torch calls `high`. Those behind `auto`
are of a LightningModule alone."""

OF_CUDA = ("tf32", "16-mixed")
"""A CPU has no such products, or none that pay; Lightning would take others without a word."""

AUTO = "auto"
PAYS = 1.3
"""So many times as fast as float32 a product must be: what a step does beside its products stays as it is."""
FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""What Linux calls a processor's own products in bfloat16, on x86 and ARM. Without one they are slower than float32."""
SIZE, ROUNDS, PRODUCTS = (8, 128, 256), 5, 4
"""Of the measured product (K, B, I): some 50 ms of one thread in all."""


@dataclass(frozen=True)
class Choice:
    """`ratio`: how many times as fast as in float32 a product in bfloat16 was; None: it was not measured."""

    precision: Precision
    ratio: float | None = None

    def __str__(self) -> str:
        what = "bfloat16" if self.precision == "bf16-mixed" else "float32"
        why = "this processor has none in bfloat16"
        if self.ratio is not None:
            why = f"in bfloat16 they are {self.ratio:.1f} times as fast here"
        return f"Products are in {what} (trainer.precision=auto: {why})."


@functools.cache
def choose(accelerator: str) -> Choice:
    """What `auto` is on this machine, measured once in a process. `accelerator`: as in `trainer.accelerator`."""
    if accelerator == "cpu" and not _has_flag():  # told without torch
        return Choice("32-true")
    import torch

    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    if not on_gpu and not _has_flag():
        return Choice("32-true")
    from ridgeline.processes import ask

    ratio = ask(measured_ratio, torch.device("cuda")) if on_gpu else measured_ratio(torch.device("cpu"))
    return Choice("bf16-mixed" if ratio >= PAYS else "32-true", ratio)


def with_precision(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The plain configuration in which `auto` has become what it is here."""
    trainer = tree.get("trainer")
    if not isinstance(trainer, Mapping) or trainer.get("precision") != AUTO:
        return tree
    return {**tree, "trainer": {**trainer, "precision": choose(str(trainer.get("accelerator", AUTO))).precision}}


def _has_flag() -> bool:
    """Whether this processor has such products; where the system does not say, it is for the measurement to tell."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return True
    lines = [line for line in info.read_text().splitlines() if line.startswith(("flags", "Features"))]
    return any(flag in lines[0].split() for flag in FLAGS) if lines else False


def measured_ratio(device: torch.device) -> float:
    """The fastest round of each counts, in turn: another process may have had the core in the others."""
    import torch

    k, b, i = SIZE
    factors = {kind: (torch.ones(k, b, i, dtype=kind, device=device), torch.ones(k, i, i, dtype=kind, device=device))
               for kind in (torch.float32, torch.bfloat16)}  # fmt: skip
    fastest = dict.fromkeys(factors, float("inf"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(ROUNDS):
            for kind, (x, weight) in factors.items():
                fastest[kind] = min(fastest[kind], _seconds(x, weight))
    finally:
        torch.set_num_threads(threads)
    return fastest[torch.float32] / fastest[torch.bfloat16]


def _seconds(x_KBI: torch.Tensor, weight_KII: torch.Tensor) -> float:
    import torch

    torch.bmm(x_KBI, weight_KII)  # the first one is slower
    if x_KBI.is_cuda:
        torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(PRODUCTS):
        torch.bmm(x_KBI, weight_KII)
    if x_KBI.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began
