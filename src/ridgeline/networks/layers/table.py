"""Rows of a table as a network can multiply them: no integer code of a category goes into a Linear as a number.

B batch, I inputs of a row.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ridgeline.layout import Layout
from ridgeline.networks.layers.numbers import Periodic, PiecewiseLinear

WIDEST = 50


def width_of(n_codes: int) -> int:
    """Of the embedding of so many codes: fastai's rule of thumb, `emb_sz_rule`."""
    return min(WIDEST, round(1.6 * n_codes**0.56))


class TableInputs(nn.Module):
    """Of each row what `numbers` makes of its numbers, the other inputs as they are (with `keeps_numbers` the numbers
    too), then an embedding of each code.

    Code 0 stands for an unknown category, and has an embedding of zeros until training has seen it. `rounded_to`: the
    type of what comes out; None: that of the row, in which codes are whole and must stay so.
    """

    number_positions: Tensor
    other_positions: Tensor

    def __init__(
        self, layout: Layout, numbers: PiecewiseLinear | Periodic | None = None, *, keeps_numbers: bool = False
    ) -> None:
        super().__init__()
        self.numbers = numbers
        self.activation = nn.ReLU() if isinstance(numbers, Periodic) else None  # together PLR, as its authors call it
        self.rounded_to: torch.dtype | None = None
        self.code_positions = tuple(position for position, _ in layout.codes)
        encoded = layout.numbers if numbers is not None and not keeps_numbers else ()
        apart = {*self.code_positions, *encoded}
        others = [position for position in range(layout.n_inputs) if position not in apart]
        self.register_buffer("number_positions", torch.tensor(layout.numbers, dtype=torch.int64))
        self.register_buffer("other_positions", torch.tensor(others, dtype=torch.int64))
        self.embeddings = nn.ModuleList(_embedding(n, width_of(n)) for _, n in layout.codes)
        n_numbers = 0 if numbers is None else numbers.n_outputs
        self.n_outputs = n_numbers + len(others) + sum(width_of(n) for _, n in layout.codes)

    def forward(self, x_BI: Tensor) -> Tensor:
        pieces = [] if self.numbers is None else [self.numbers(x_BI.index_select(1, self.number_positions))]
        if self.activation is not None:
            pieces = [self.activation(piece) for piece in pieces]
        if len(self.other_positions):
            pieces.append(x_BI.index_select(1, self.other_positions))
        for position, embedding in zip(self.code_positions, self.embeddings, strict=True):
            pieces.append(embedding(x_BI[:, position].long()))
        inputs = torch.cat(pieces, dim=1) if len(pieces) > 1 else pieces[0]
        return inputs if self.rounded_to is None else inputs.to(self.rounded_to)


class OfTable(nn.Module):
    """A network that gets what `TableInputs` make of a row."""

    def __init__(self, inputs: TableInputs, network: nn.Module) -> None:
        super().__init__()
        self.inputs, self.network = inputs, network

    @property
    def any_leading_axes(self) -> bool:
        """Where the network works along the last axis alone, it gets what comes in as it comes."""
        return bool(getattr(self.network, "any_leading_axes", False))

    @property
    def is_chain(self) -> bool:
        """Without weights in the inputs, the network's."""
        return next(self.inputs.parameters(), None) is None and bool(getattr(self.network, "is_chain", False))

    def forward(self, x: Tensor) -> Tensor:
        """Of rows (B, I), or (K, B, I)."""
        inputs = self.inputs(x.flatten(0, -2)).unflatten(0, x.shape[:-1])
        outputs: Tensor = self.network(inputs)
        return outputs


@torch.no_grad()
def _embedding(n_codes: int, width: int) -> nn.Embedding:
    """All values of a code together have a variance of 1/3, whatever their number: as rtdl draws them."""
    embedding = nn.Embedding(n_codes, width)
    embedding.weight.uniform_(-1 / math.sqrt(width), 1 / math.sqrt(width))
    embedding.weight[0] = 0.0
    return embedding
