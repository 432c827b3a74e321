"""K fits of an ordinary module as one module with a leading axis K.

K fits, B batch, I values of an example, U units of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ridgeline.networks.layers.table import OfTable, TableInputs
from ridgeline.networks.stacking import randomness
from ridgeline.networks.stacking.dropouts import Dropout, DropoutOfTorch, InputDropout
from ridgeline.networks.stacking.looped import Looped
from ridgeline.networks.stacking.noise import Purpose, key
from ridgeline.networks.stacking.one_pass import Make, made, materialize
from ridgeline.networks.stacking.rows import Rows
from ridgeline.networks.stacking.slots import Slot
from ridgeline.networks.stacking.survey import Survey
from ridgeline.networks.stacking.swapped import Swapped

Way = Literal["looped", "swapped"]


@dataclass(frozen=True)
class Weight:
    """A weight of a layer that sums over what comes in, as views (K, incoming weights, units) of the rows; None where
    units have none of their own. Not contiguous in every layer."""

    name: str
    slot: Slot
    rows: Rows

    @property
    def layer(self) -> str:
        """The layer's name; that of a weight among several of its layer."""
        return self.name.removesuffix(".weight").removesuffix(".parametrizations.weight.original")

    @property
    def has_units(self) -> bool:
        return self.slot.units_at is not None

    @property
    def value_KIO(self) -> Tensor:
        """Raises ValueError where no unit has incoming weights of its own."""
        return self.view_KIO(self.rows.values_KP)

    @property
    def grad_KIO(self) -> Tensor:
        return self.view_KIO(self.rows.grads_KP)

    def view_KIO(self, rows_KP: Tensor) -> Tensor:
        """Of any tensor that begins as the rows do."""
        stored_K = rows_KP[:, self.rows.places[self.name]].view(-1, *self.slot.stored)
        by_unit = self.slot.by_unit(stored_K)
        if by_unit is None:
            raise ValueError(f"`{self.name} has units with weights of their own` must hold.")
        return by_unit


class StackedNetwork(nn.Module):
    """`make` builds the author's module, `survey` says what it is; `x_B` are a few examples, for lazy layers.

    `others` make the module of the fits of another fold than the first: fit k is of fold k modulo their number.
    `codes` are the places of features that are a category's code. `rows` hold what each fit has of its own. `weights`
    come in the order in which layers run, so that the last is the output layer's; `dropouts` likewise.
    """

    def __init__(
        self,
        make: Make,
        survey: Survey,
        k: int,
        x_B: Tensor,
        way: Way,
        *,
        dtype: torch.dtype,
        device: torch.device,
        others: Sequence[Make] = (),
        codes: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.k, self.survey, self.way, self.codes = k, survey, way, tuple(codes)
        self._makes, self._x_B, self._drops = (make, *others), x_B, False
        slots = survey.twin_slots if way == "swapped" else survey.slots
        self.rows = Rows(slots, k, dtype=dtype, device=device)
        self.weights = [Weight(name, self.rows.slots[name], self.rows) for name in survey.weights]
        n_values = x_B[0].numel()
        self.input_dropout = InputDropout(k, n_values, codes, dtype=dtype, device=device)
        self.stack: Looped | Swapped
        if way == "swapped":
            self.stack = Swapped(self._made(0, 0), survey, self.rows)
        else:
            self.stack = Looped([self._made(i, 0) for i in range(k)], survey, self.rows)
        n_first = 1 + sum(weight.name.startswith("inputs.") for weight in self.weights if self._table_inputs)
        self._dropped = self.weights[n_first:]
        self.weight_droppers = [Dropout(k, weight.slot.size, dtype=dtype, device=device) for weight in self._dropped]

    @property
    def dropouts(self) -> Sequence[Dropout | DropoutOfTorch]:
        """The network's own."""
        return self.stack.dropouts

    @property
    def noisy_layers(self) -> list[Dropout | DropoutOfTorch]:
        """In the order in which they get their random bits: the network's own first, the input's last."""
        return [*self.stack.dropouts, self.input_dropout]

    @property
    def module(self) -> nn.Module:
        """Where K is folded into the batch: the author's module, with twins in it."""
        assert isinstance(self.stack, Swapped)
        return self.stack.module

    @property
    def is_chain(self) -> bool:
        """Whether the units of a layer are read by the next layer and by nothing else."""
        module = self.stack.module if isinstance(self.stack, Swapped) else self.stack.copies[0]
        return bool(getattr(module, "is_chain", False))

    def forward(self, x_KBI: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Outputs (K, B, O) of flat examples; computed in `dtype`, or the type of x, with the parameters as they are.

        A category's code would not be itself any more when rounded: a row of a table is rounded once it is encoded.
        """
        dtype = dtype or x_KBI.dtype
        for inputs in self._table_inputs:
            inputs.rounded_to = dtype
        x_KBI = self.input_dropout(x_KBI if self._table_inputs else x_KBI.to(dtype))
        self._drop_weights()
        x_KB = x_KBI if len(self.survey.example_shape) == 1 else x_KBI.unflatten(2, self.survey.example_shape)
        if isinstance(self.stack, Swapped) or dtype == self.rows.state_KS.dtype:
            outputs: Tensor = self.stack(x_KB)
            return outputs
        with torch.autocast(x_KBI.device.type, dtype=dtype):
            return self.stack(x_KB)

    @property
    def _table_inputs(self) -> list[TableInputs]:
        """Of the network, or of each copy of it."""
        modules = [self.stack.module] if isinstance(self.stack, Swapped) else self.stack.copies
        return [module.inputs for module in modules if isinstance(module, OfTable)]

    def _drop_weights(self) -> None:
        """DropConnect: `weight_droppers`, one for each weight but those that the features meet first (the embeddings
        and the first layer), have got their bits (K, 1, N)."""
        factors = {}
        if self.training and any(dropper.is_on for dropper in self.weight_droppers):
            for weight, dropper in zip(self._dropped, self.weight_droppers, strict=True):
                factors_K1N = dropper.factors_KBW(self.rows.state_KS.dtype)
                factors[weight.name] = factors_K1N.view(self.k, *weight.slot.stored)
        if factors or self._drops:
            self.stack.factors = factors
        self._drops = bool(factors)

    @torch.no_grad()
    def initialize(self, k: int, seed: int) -> None:
        """Fit `k` becomes what the author's code makes under this seed, on the CPU whatever the device."""
        module = self._made(k, key(seed, Purpose.INITIALIZATION))
        if isinstance(self.stack, Looped):
            self.stack.put(k, module)
        else:
            self.rows.put_(k, module.state_dict())

    @property
    def n_made(self) -> int:
        """How often a module has been put in the place of another one, with tensors that lie elsewhere."""
        return self.stack.puts if isinstance(self.stack, Looped) else 0

    def key_noise(self, seeds: Sequence[int], steps: Sequence[int]) -> None:
        """Of what the forward passes of the step draw themselves."""
        if isinstance(self.stack, Looped):
            self.stack.noise_keys = [key(seed, Purpose.FORWARD, step) for seed, step in zip(seeds, steps, strict=True)]

    def state(self, k: int) -> dict[str, Tensor]:
        """The `state_dict` that the author's module would have as fit `k`, on the CPU."""
        return self.unpack(self.rows.state_KS[k])

    def unpack(self, row_S: Tensor) -> dict[str, Tensor]:
        """The same of a row that a fit had."""
        state = {name: tensor.clone() for name, tensor in self.survey.constants.items()} | self.rows.unpack(row_S)
        # Of a tied weight a copy for each name: a file of tensors takes none that share memory.
        return state | {alias: state[name].clone() for alias, name in self.survey.aliases.items()}

    def load_state(self, k: int, state: Mapping[str, Tensor]) -> None:
        """What `state` gave. Raises ValueError for a tensor that this network has no place for."""
        unknown = state.keys() - self.rows.slots.keys() - self.survey.constants.keys() - self.survey.aliases.keys()
        if unknown:
            raise ValueError(f"`a state has {sorted(self.rows.slots)}` must hold, but got {sorted(unknown)}.")
        self.rows.put_(k, dict(state))

    @contextmanager
    def outputs_of(self, names: Sequence[str]) -> Iterator[dict[str, list[Tensor]]]:
        """What these layers give while this is open, by name: a tensor (B, ...) a fit."""
        with self.stack.outputs_of(names) as seen:
            yield seen

    def _made(self, k: int, key: int) -> nn.Module:
        with randomness.restored():
            module = made(self._makes[k % len(self._makes)], key)
            materialize(module, self._x_B)
        return module
