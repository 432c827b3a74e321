"""Does a network's state say all that it is? A champion is loaded by building the module anew, and giving it that.

B batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ridgeline.checking import ConfigError
from ridgeline.networks.stacking import randomness
from ridgeline.networks.stacking.one_pass import Make, materialized, numbers_of
from ridgeline.networks.stacking.slots import owned

EQUAL = 1e-4
"""Relative to the largest output: above rounding."""


def check_whole(make: Make, x_B: Tensor) -> None:
    """Raise ConfigError unless a module under another seed gives the same once it has a module's parameters and
    buffers. One that keeps weights in a plain list, or random numbers in a plain attribute, does not."""
    with randomness.restored(), torch.no_grad():
        module, other = (materialized(make, key, x_B).eval() for key in range(2))
        _outputs(module, x_B), _outputs(other, x_B)  # what a first pass changes is a part of the state
        theirs = owned(other)
        for name, (_, _, tensor) in owned(module).items():
            if name not in theirs or theirs[name][2].shape != tensor.shape:
                return  # which a seed may change: nothing can be said
            theirs[name][2].copy_(tensor)
        outputs_BO, others_BO = _outputs(module, x_B), _outputs(other, x_B)
        if torch.allclose(outputs_BO, others_BO, rtol=0, atol=EQUAL * float(outputs_BO.abs().max()), equal_nan=True):
            return
    rule = "a network is all in its parameters and buffers"
    raise ConfigError(f"`{rule}` must hold, but got {_culprit(module, other)}.")


def _outputs(module: nn.Module, x_B: Tensor) -> Tensor:
    randomness.seed_all(0)
    outputs_BO: Tensor = module(x_B.clone())
    return outputs_BO


def _culprit(module: nn.Module, other: nn.Module) -> str:
    """What the state does not have, in the author's words."""
    for path, own in module.named_modules():
        where = f"{path}." if path else ""
        for name, value in vars(own).items():
            held = list(value.values()) if isinstance(value, dict) else value
            if not name.startswith("_") and isinstance(held, (list, tuple)):
                if any(isinstance(item, nn.Module) for item in held):
                    return f"layers in {where}{name}, a plain {type(value).__name__} (nn.ModuleList holds them)"
                if any(isinstance(item, nn.Parameter) for item in held):
                    return f"parameters in {where}{name}, a plain {type(value).__name__} (nn.ParameterList holds them)"
    ours, theirs = numbers_of(module), numbers_of(other)
    for (path, name), value in ours.items():
        if theirs.get((path, name)) != value:
            return f"{path}.{name}".lstrip(".") + ", which a seed changes (register_buffer keeps it)"
    return "other outputs of a second one with the same: its forward reads numbers from outside, or of its own"
