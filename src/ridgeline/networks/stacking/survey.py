"""What a network is, as one training step of a few examples shows: its layers in the order in which they run, what each
fit has of its own, what it draws at random.

B batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ridgeline.checking import ConfigError
from ridgeline.networks.layers.noisy import ActivationDropout
from ridgeline.networks.layers.numbers import PiecewiseLinear
from ridgeline.networks.stacking import randomness
from ridgeline.networks.stacking.one_pass import Layer, Make, Seen, materialized, run
from ridgeline.networks.stacking.slots import Slot, is_weight, order_of, owned, units_at
from ridgeline.networks.stacking.twins import TWINS, LinearTwin, why_no_twin
from ridgeline.networks.stacking.views import ChannelsLast, channels_last_of

KEYED = (nn.Dropout, ActivationDropout)
"""Dropout layers, by their exact type, that can draw from a fit's keyed bits."""


@dataclass(frozen=True)
class DropoutSite:
    """A dropout layer; `width`: values an example that it drops from; None where it needs noise of torch's own."""

    name: str
    rate: float
    width: int | None
    activation: str | None


@dataclass(frozen=True)
class Survey:
    """`dropouts` and `weights` are in the order in which the layers run. `why_looped`: what keeps K from being folded
    into the batch, as far as it can be seen without trying it. `n_multiplications`: of an example, by weights.
    `n_values`: an example's, in the input and in what layers give that have parameters or make values of numbers.
    `activations`: of each layer that is one, the last layer with weights before it, and what it is. `channels_last`:
    whether its convolutions get images that lie so; `copies_views`: whether its forward needs `CopyingViews` then.
    `writes_input`: whether its forward works in place on what it gets.
    `why_other_steps`: what may make the operations of a step other ones than those of the step before.
    `constants`: what its `state_dict` has and no fit of its own; `aliases`: other names there of a tensor that it
    shares.
    """

    example_shape: tuple[int, ...]
    n_outputs: int
    slots: tuple[Slot, ...]
    twin_slots: tuple[Slot, ...]
    weights: tuple[str, ...]
    dropouts: tuple[DropoutSite, ...]
    n_values: int
    n_parameters: int
    n_multiplications: int
    has_convolutions: bool
    channels_last: bool
    copies_views: bool
    writes_input: bool
    constants: dict[str, Tensor]
    aliases: dict[str, str]
    why_looped: str | None
    why_other_steps: str | None = None
    activations: dict[str, tuple[str, str]] = field(default_factory=dict)
    layer_kinds: tuple[str, ...] = ()


ACTIVATIONS = {nn.ReLU: "relu", nn.ReLU6: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}


def survey(make: Make, x_B: Tensor, channels_last: bool, others: Sequence[Make] = ()) -> Survey:
    """`x`: a few examples (B, ...), at least two, on the CPU. Draws are restored. `others`: what makes the module of
    fits whose data are not the same, and which then differ in buffers.

    Raises ConfigError where the network does not take them.
    """
    with randomness.restored():
        module = materialized(make, 0, x_B)
        order = channels_last_of(module, x_B) if channels_last else "no"
        rates = {name: own.p for name, own in module.named_modules() if isinstance(own, nn.modules.dropout._DropoutNd)}
        for name in rates:
            module.get_submodule(name).p = 0.0  # type: ignore[assignment]
        before = {name: (tensor, tensor.clone()) for name, (_, _, tensor) in owned(module).items()}
        seen = run(module, x_B)
        changed = {
            name
            for name, (owner, own_name, tensor) in owned(module).items()
            if name in before and (tensor is not before[name][0] or not torch.equal(tensor, before[name][1]))
        }
        first, *more = (
            {name: tensor for name, (_, _, tensor) in owned(materialized(each, 1, x_B)).items()}
            for each in (make, *others)
        )
    if seen.outputs.dim() != 2 or len(seen.outputs) != len(x_B):
        shape = ", ".join(["B", *(str(n) for n in seen.outputs.shape[1:])])
        raise ConfigError(f"`a network gives (B, outputs)` must hold, but got ({shape}).")
    changed |= {name for other in more for name, tensor in first.items() if not torch.equal(tensor, other[name])}
    return _described(module, x_B, seen, changed, first, rates, order)


def _described(
    module: nn.Module,
    x_B: Tensor,
    seen: Seen,
    changed: set[str],
    again: dict[str, Tensor],
    rates: dict[str, float],
    channels_last: ChannelsLast,
) -> Survey:
    found, layers = owned(module), seen.layers
    path_of = {id(own): name for name, own in module.named_modules()}
    sites = []
    for name, layer in layers.items():
        if name not in rates:
            continue
        shape = seen.shapes.get(name, (0,))
        keyed = type(layer.module) in KEYED and layer.calls == 1 and shape[0] == len(x_B)
        sites.append(DropoutSite(name, rates[name], layer.n_outputs if keyed else None, _activation(layer.module)))
    runs = list(layers)

    def place(name: str) -> int:
        """When the layer of a tensor runs; one that does not comes first."""
        path = path_of[id(found[name][0])]
        path = path.split(".parametrizations")[0]
        return runs.index(path) if path in layers else -1

    parameters = [name for name, (_, _, t) in found.items() if isinstance(t, nn.Parameter) and t.requires_grad]
    weights = sorted((name for name in parameters if is_weight(*found[name][:2])), key=place)
    trained = [name for name in parameters if name not in weights]
    kept = [n for n, (_, _, t) in found.items() if _is_kept(n, t, changed, again)]
    slots, twin_slots = [], []
    for kind, names in (("weight", weights), ("parameter", trained), ("buffer", kept)):
        for name in names:
            owner, own_name, tensor = found[name]
            units = units_at(owner) if kind == "weight" else None
            order = order_of(owner, tensor.shape, channels_last != "no")
            slots.append(Slot(name, tuple(tensor.shape), order, kind, tensor.dtype, units))  # type: ignore[arg-type]
            twin_order, twin_units = tuple(range(tensor.dim())), units
            if type(owner) is nn.Linear and own_name == "weight":
                twin_order, twin_units = LinearTwin.order, "last" if units else None
            twin_slots.append(Slot(name, tuple(tensor.shape), twin_order, kind, tensor.dtype, twin_units))  # type: ignore[arg-type]
    names_of_fits = {slot.name for slot in slots}
    with_parameters = [layer for layer in layers.values() if layer.module._parameters]
    without = [layer for layer in layers.values() if isinstance(layer.module, PiecewiseLinear)]
    last_weights, activations = "", dict[str, tuple[str, str]]()
    for name, layer in layers.items():
        if any(is_weight(layer.module, own_name) for own_name in layer.module._parameters):
            last_weights = name
        does = _activation(layer.module) or ACTIVATIONS.get(type(layer.module))
        is_first = last_weights not in [before for before, _ in activations.values()]
        if does is not None and last_weights and layer.calls == 1 and is_first:
            activations[name] = last_weights, does
    return Survey(
        example_shape=tuple(x_B.shape[1:]),
        n_outputs=seen.outputs.shape[1],
        slots=tuple(slots),
        twin_slots=tuple(twin_slots),
        weights=tuple(weights),
        dropouts=tuple(sites),
        n_values=x_B[0].numel() + sum(layer.n_outputs * layer.calls for layer in [*with_parameters, *without]),
        n_parameters=sum(found[name][2].numel() for name in (*weights, *trained)),
        n_multiplications=sum(_multiplications(layer) for layer in with_parameters),
        has_convolutions=any(isinstance(layer.module, nn.modules.conv._ConvNd) for layer in layers.values()),
        channels_last=channels_last != "no",
        copies_views=channels_last == "with copies",
        writes_input=seen.writes_input,
        constants={name: again[name] for name in found if name in again and name not in names_of_fits},
        aliases=_aliases(module, found),
        why_looped=_why_other_steps(seen, sites) or _why_looped(module, seen, kept, found),
        why_other_steps=_why_other_steps(seen, sites),
        activations=activations,
        layer_kinds=tuple(type(layer.module).__name__ for layer in with_parameters),
    )


def _aliases(module: nn.Module, found: dict[str, tuple[nn.Module, str, Tensor]]) -> dict[str, str]:
    """Names in the `state_dict` beside the first one of each tensor."""
    first = {id(tensor): name for name, (_, _, tensor) in found.items()}
    every = module.state_dict(keep_vars=True)
    return {name: first[id(tensor)] for name, tensor in every.items() if first.get(id(tensor), name) != name}


def _multiplications(layer: Layer) -> int:
    """Of an example: each weight once for each position at which the layer gives values."""
    weights = [t for name, t in layer.module._parameters.items() if t is not None and is_weight(layer.module, name)]
    positions = max(1, layer.n_outputs // max(1, len(weights[0]))) if weights else 1
    return sum(weight.numel() for weight in weights) * layer.calls * positions


def _activation(layer: nn.Module) -> str | None:
    return layer.activation if isinstance(layer, ActivationDropout) else None


def _is_kept(name: str, tensor: Tensor, changed: set[str], again: dict[str, Tensor]) -> bool:
    """Whether a tensor that is not trained differs between fits: a frozen parameter or a buffer that a seed or a step
    changes. Whole numbers but a count of batches have no place in a row."""
    if isinstance(tensor, nn.Parameter):
        return not tensor.requires_grad
    differs = name in changed or name not in again or not torch.equal(tensor, again[name])
    counts = name.rpartition(".")[2] == "num_batches_tracked"
    if differs and not counts and not tensor.is_floating_point():
        rule = f"the buffer {name} holds floating-point numbers, for training changes it,"
        raise ConfigError(f"`{rule}` must hold, but got {str(tensor.dtype).removeprefix('torch.')}.")
    return differs


def _why_other_steps(seen: Seen, sites: list[DropoutSite]) -> str | None:
    """What a forward pass may do otherwise than the one before, and so for one fit otherwise than for another."""
    if seen.draws:
        return "its forward draws random numbers of its own"
    if seen.keeps_numbers:  # a fit that begins later in a slot would find those of its neighbours
        return "its forward keeps numbers beside parameters and buffers"
    if seen.reads_numbers:
        return "its forward may go another way by the numbers of a batch"
    for site in sites:
        if site.width is None:
            return f"{type(seen.layers[site.name].module).__name__} {site.name} needs noise of its own"
    return None


def _why_looped(
    module: nn.Module, seen: Seen, kept: list[str], found: dict[str, tuple[nn.Module, str, Tensor]]
) -> str | None:
    """What one module cannot do for several fits, though two of them might give what plain copies give."""
    held = [t for own in module.modules() for t in [*own._parameters.values(), *own._buffers.values()]]
    if sum(tensor is not None for tensor in held) > len(found):
        return "it shares parameters"
    for path, own in module.named_modules():
        own_tensors = [name for name, tensor in own._parameters.items() if tensor is not None]
        own_tensors += [name for name in own._buffers if (f"{path}.{name}" if path else name) in kept]
        if own_tensors:
            if next(own.children(), None) is not None or type(own) not in TWINS:
                what = (
                    "has no twin" if type(own).__module__.startswith("torch.nn") else f"has {own_tensors[0]} of its own"
                )
                return f"{type(own).__name__} {what}"
            if (reason := why_no_twin(own)) is not None:
                return reason
            if path not in seen.layers:
                return f"{path} does not always run"
    return None
