"""One forward pass of a module in training: which layers run, and what else it does.

B batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.checking import ConfigError
from ridgeline.networks.stacking import randomness

Make = Callable[[], nn.Module]


@dataclass
class Layer:
    """One that runs: how often a forward pass calls it, values an example that it gave."""

    name: str
    module: nn.Module
    calls: int = 0
    n_outputs: int = 0


def made(make: Make, key: int) -> nn.Module:
    """The author's own code under a seed. Lazy modules come to be by their first forward pass: see `materialize`."""
    randomness.seed_all(key)
    return make()


@dataclass(frozen=True)
class Seen:
    """In one forward pass. `shapes`: of what layers gave. `keeps_numbers`: beside parameters and buffers;
    `reads_numbers`: of a tensor, to decide what is computed."""

    outputs: Tensor
    layers: dict[str, Layer]
    shapes: dict[str, tuple[int, ...]]
    draws: bool
    writes_input: bool
    keeps_numbers: bool
    reads_numbers: bool


class _Reading(TorchDispatchMode):
    """Notes whether a number of a tensor comes to Python, where it may decide what is computed."""

    is_so = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here: to tell Dynamo so would import it, half a second in each process that starts."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.is_so |= func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)
        return func(*args, **(kwargs or {}))


def numbers_of(module: nn.Module) -> dict[tuple[str, str], str]:
    """What its parts keep beside parameters, buffers and modules, as far as it is numbers, words, tensors or lists."""
    return {
        (path, name): str(value.tolist()) if isinstance(value, Tensor | np.ndarray) else repr(value)
        for path, own in module.named_modules()
        for name, value in vars(own).items()
        if isinstance(value, _NUMBERS) and name not in _OF_MODULES
    }


_NUMBERS = (bool, int, float, complex, str, type(None), list, tuple, dict, set, Tensor, np.ndarray)
_OF_MODULES = vars(nn.Module()).keys()


def materialize(module: nn.Module, x_B: Tensor) -> None:
    """What is lazy gets its shapes."""
    lazy = any(
        torch.nn.parameter.is_lazy(tensor)
        for own in module.modules()
        for tensor in [*own._parameters.values(), *own._buffers.values()]
        if tensor is not None
    )
    if lazy:
        was_training = module.training
        with torch.no_grad():
            module.eval()(x_B.to(torch.get_default_dtype(), copy=True))
        module.train(was_training)


def materialized(make: Make, key: int, x_B: Tensor) -> nn.Module:
    """Made under a seed, in the type of the examples, nothing of it lazy."""
    module = made(make, key)
    materialize(module, x_B)
    return module.to(dtype=x_B.dtype)


def run(module: nn.Module, x_B: Tensor) -> Seen:
    """One forward pass in training, without dropout: the layers that ran, in that order."""
    layers: dict[str, Layer] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    handles = []
    for name, own in module.named_modules():
        if next(own.children(), None) is None or own._parameters:

            def note(own: nn.Module, _inputs: object, outputs: object, name: str = name) -> None:
                layer = layers.setdefault(name, Layer(name, own))
                layer.calls += 1
                if isinstance(outputs, Tensor):
                    layer.n_outputs = outputs.numel() // len(x_B)
                    shapes[name] = tuple(outputs.shape)

            handles.append(own.register_forward_hook(note))
    module.train()
    before, numbers, given_B = randomness.states(), numbers_of(module), x_B.clone()
    try:
        with _Reading() as reading:
            outputs = module(given_B)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(outputs, Tensor):
        raise ConfigError(f"`a network gives one tensor` must hold, but got {type(outputs).__name__}.")
    return Seen(
        outputs,
        layers,
        shapes,
        draws=not randomness.are_equal(before, randomness.states()),
        writes_input=given_B._version > 0,
        keeps_numbers=numbers_of(module) != numbers,
        reads_numbers=reading.is_so,
    )
