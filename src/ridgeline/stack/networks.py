"""The network that a configuration means, for K fits of given examples.

K fits, N examples, I values of an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ridgeline.checking import require
from ridgeline.config import Config, ConfigError
from ridgeline.config.network import NetworkConfig, OwnNetwork
from ridgeline.data import Splits, load_splits
from ridgeline.layout import Layout
from ridgeline.networks.layers.table import OfTable, TableInputs
from ridgeline.networks.stacking import randomness
from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.networks.stacking.one_pass import Make, materialized
from ridgeline.networks.stacking.proof import Choice, choose, measured_gain
from ridgeline.networks.stacking.survey import Survey, survey
from ridgeline.networks.stacking.whole import check_whole
from ridgeline.stack.device import is_out_of_memory
from ridgeline.target import reason

WHOLE_IN_BFLOAT16 = 256
"""bfloat16 has all whole numbers up to here."""
EXAMPLES = 16
"""Of which a network is looked at, and proved: two fits have half of them each."""


@dataclass(frozen=True)
class Shape:
    """What data and task ask of a network: `image` is (C, H, W) of an image, `layout` what each input of a
    table's row is; `other_layouts`: the same of the folds after the first, which differ in their quantiles."""

    n_inputs: int
    image: tuple[int, int, int] | None
    n_outputs: int
    layout: Layout | None = None
    other_layouts: tuple[Layout, ...] = ()

    @property
    def codes(self) -> tuple[int, ...]:
        """The places of inputs that are a category's code."""
        return () if self.layout is None else tuple(position for position, _ in self.layout.codes)


def shape_of(splits: Splits) -> Shape:
    others = tuple(scaler.encoder.layout for scaler in splits.scalers[1:] if scaler.encoder is not None)
    return Shape(splits.n_features, splits.image_shape, splits.n_outputs, splits.layout, others)


def stacked_network(config: Config, k: int, x_NI: Tensor, shape: Shape) -> StackedNetwork:
    """K fits with the structure of `config`, in the type and on the device of `x`, some examples of the data."""
    known = known_network(config.network, x_NI, shape)
    make, *others = known.makes
    return StackedNetwork(
        make,
        known.survey,
        k,
        known.x_B,
        known.choice.way,
        dtype=x_NI.dtype,
        device=x_NI.device,
        others=others,
        codes=shape.codes,
    )


def check_network(config: Config) -> None:
    """Raise ConfigError for a network that does not fit the data, or lacks what the regularizers act on."""
    splits, own = load_splits(config.data), config.regularization
    try:
        known = known_network(config.network, splits.train.features_MI(slice(EXAMPLES)), shape_of(splits))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        rule = "network fits into memory"
        raise ConfigError(f"`{rule}` must hold, but got network={config.network.name}: {reason(error)}.") from error
    found, outputs = known.survey, splits.n_outputs
    rule = f"{config.network.name} gives {outputs} outputs"
    require(found.n_outputs == outputs, rule, "network", f"{found.n_outputs} outputs")
    _check_codes(config, splits.layout)
    own.check_network(known.make(), len(found.weights), len(found.dropouts))
    n, batch = splits.train.n, config.trainer.batch_size or splits.train.n
    if n % min(batch, n) == 1 or batch == 1:
        _check_one_example(config.network.name, known, n, batch)


def _check_one_example(name: str, known: Known, n: int, batch: int) -> None:
    """Raise ConfigError where the last batch has one example, which the network, for a BatchNorm say, cannot take."""
    with randomness.restored():
        module = materialized(known.make, 0, known.x_B).train()
        try:
            outputs_BO = module(known.x_B[:1].clone())
        except Exception as error:
            why = reason(error)
        else:
            if outputs_BO.shape == (1, known.survey.n_outputs):
                return
            why = f"of one it gives {tuple(outputs_BO.shape)}"
    rule = f"{name} trains on batches of two examples or more"
    raise ConfigError(f"`{rule}` must hold, but got trainer.batch_size={batch} of {n}, the last of one: {why}.")


def _check_codes(config: Config, layout: Layout | None) -> None:
    """Raise ConfigError where the codes of categories would be rounded before a network of one's own takes them."""
    n_codes = max((n for _, n in layout.codes), default=0) if layout is not None else 0
    takes_codes = isinstance(config.network, OwnNetwork) and config.network.takes_layout
    rule = f"trainer.precision is not bf16-mixed with up to {n_codes} codes for a network that takes the layout"
    is_rounded = takes_codes and n_codes > WHOLE_IN_BFLOAT16 and config.trainer.precision == "bf16-mixed"
    require(not is_rounded, rule, "trainer.precision", config.trainer.precision)


def way_of(config: Config) -> str:
    """One line: which way the fits of this network are trained, and why."""
    splits = load_splits(config.data)
    known = known_network(config.network, splits.train.features_MI(slice(EXAMPLES)), shape_of(splits))
    if known.choice.way == "looped":
        return known.choice.why
    batch = min(config.trainer.batch_size or splits.train.n, splits.train.n)
    gain = measured_gain(known.make, known.survey, known.x_B, splits.train.x_NI.device, batch)
    return f"{known.choice.why}; a step of two fits {gain:.1f} times as fast as looped"


@dataclass(frozen=True)
class Known:
    """What was found out about a network, once in a process."""

    makes: tuple[Make, ...]
    """One, or one for each fold."""

    example_shape: tuple[int, ...]
    x_B: Tensor
    survey: Survey
    choice: Choice

    def make(self) -> nn.Module:
        return self.makes[0]()


_known: dict[tuple[NetworkConfig, Shape, torch.dtype, str, bool], Known] = {}


def known_network(network: NetworkConfig, x_NI: Tensor, shape: Shape) -> Known:
    """Looked at with the first examples. Raises ConfigError for a network that does not take them."""
    place = network, shape, x_NI.dtype, x_NI.device.type, len(x_NI) >= EXAMPLES
    if place not in _known:
        few = x_NI[:EXAMPLES].cpu().nan_to_num()  # what is predicted may lack a value
        _known[place] = look(network, few, x_NI.device, shape)
    return _known[place]


def look(network: NetworkConfig, few: Tensor, device: torch.device, shape: Shape) -> Known:
    """Find out about a network with `few` examples on the CPU; `device`: where it will train."""
    example_shape = network.example_shape(shape.n_inputs, shape.image)
    network.check_shape(example_shape)
    x_B = few.repeat(-(-EXAMPLES // len(few)), 1)[:EXAMPLES].unflatten(1, example_shape)
    layouts = (shape.layout, *shape.other_layouts)
    makes = tuple(partial(_build, network, example_shape, shape.n_outputs, layout) for layout in layouts)
    make, *others = makes
    is_ours = type(network).__module__.startswith("ridgeline.networks.")
    try:
        found = survey(make, x_B, device.type == "cpu", others)
        if not is_ours:
            check_whole(make, x_B)
    except ConfigError:
        raise
    except Exception as error:  # whatever the author's code says to these examples
        if is_out_of_memory(error):  # which is not the network's to answer for
            raise
        rule = f"network takes examples of shape {example_shape}"
        asks = ", which come as rows to one with an argument n_inputs," if len(example_shape) > 1 else ""
        raise ConfigError(f"`{rule}{asks}` must hold, but got network={network.name}: {reason(error)}.") from error
    choice = choose(make, found, x_B, device, is_ours=is_ours)
    return Known(makes, example_shape, x_B, found, choice)


def _build(network: NetworkConfig, example_shape: tuple[int, ...], n_outputs: int, layout: Layout | None) -> nn.Module:
    """The module; with embeddings in front of it where a row has codes that it knows nothing of."""
    if layout is None or network.takes_layout or not layout.codes:
        return network.build(example_shape, n_outputs, layout)
    inputs = TableInputs(layout)
    return OfTable(inputs, network.build((inputs.n_outputs,), n_outputs))
