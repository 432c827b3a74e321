"""A multilayer perceptron for tables: numbers are encoded piecewise linearly, categories embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ridgeline.checking import require
from ridgeline.networks.layers.chain import Activation, Chain, Initialization

if TYPE_CHECKING:
    from torch import nn

    from ridgeline.layout import Layout

Numeric = Literal["piecewise", "piecewise_and_linear", "periodic", "none"]
OF_BINS = ("piecewise", "piecewise_and_linear")
READERS = {"bins": OF_BINS, **dict.fromkeys(("frequencies", "sigma", "width"), ("periodic",))}
"""Which encodings of numbers read a key."""


@dataclass(frozen=True)
class Network(Chain):
    """`hidden`: a width a hidden layer. `numeric`: what becomes of a number: `bins` values of a piecewise linear
    encoding, these and the number itself, `width` of a periodic one with so many `frequencies`, drawn with the
    deviation `sigma`; or the number itself alone."""

    name: Literal["tabular"] = "tabular"
    hidden: tuple[int, ...] = (128, 128)
    activation: Activation = "silu"
    initialization: Initialization = "kaiming_uniform"
    numeric: Numeric = "piecewise"
    bins: int = 16
    frequencies: int = 16
    sigma: float = 0.1
    width: int = 8

    def check(self) -> None:
        shown = list(self.hidden)
        require(len(self.hidden) > 0, "len(network.hidden) >= 1", "network.hidden", shown)
        require(all(width >= 1 for width in self.hidden), "network.hidden[i] >= 1", "network.hidden", shown)
        require(2 <= self.bins <= 64, "2 <= network.bins <= 64", "network.bins", self.bins)
        for key in ("frequencies", "width"):
            value = getattr(self, key)
            require(1 <= value <= 1024, f"1 <= network.{key} <= 1024", f"network.{key}", value)
        require(0 < self.sigma < float("inf"), "0 < network.sigma < inf", "network.sigma", self.sigma)

    def idle(self) -> Iterator[tuple[str, str, str]]:
        for key, readers in READERS.items():
            if self.numeric not in readers:
                rule = f"network.numeric in {{{', '.join(readers)}}}"
                yield f"network.{key}", rule, f"network.numeric={self.numeric}"

    @property
    def takes_layout(self) -> bool:
        return True

    def check_data(self, name: str) -> None:
        require(name == "table", "data=table with network=tabular", "network.name", self.name)
        super().check_data(name)

    def build(self, input_shape: Sequence[int], n_outputs: int, layout: Layout | None = None) -> nn.Module:
        from ridgeline.networks.layers.numbers import Periodic, PiecewiseLinear
        from ridgeline.networks.layers.table import OfTable, TableInputs

        assert layout is not None, "the data were checked"
        numbers: PiecewiseLinear | Periodic | None = None
        if layout.numbers and self.numeric in OF_BINS:
            numbers = PiecewiseLinear(layout.quantiles, self.bins)
        elif layout.numbers and self.numeric == "periodic":
            numbers = Periodic(len(layout.numbers), self.frequencies, self.sigma, self.width)
        inputs = TableInputs(layout, numbers, keeps_numbers=self.numeric == "piecewise_and_linear")
        return OfTable(inputs, self.perceptron((inputs.n_outputs,), n_outputs, self.activation, self.initialization))
