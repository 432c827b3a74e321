"""dropout and input_dropout: hidden units, or features, are dropped at random in each step (Srivastava et al. 2014).

K fits, B batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.checking import require
from ridgeline.regularizers.effect import Batch, Effect
from ridgeline.strengths import Settings, require_rate, strength

if TYPE_CHECKING:
    from ridgeline.config import Config


@dataclass(frozen=True)
class DropoutSettings(Settings):
    """`dropout`: one rate for every hidden layer, or a rate for each. `input_dropout`: that of the features."""

    dropout: float | tuple[float, ...] = strength(schedule="dropout_schedule", is_noise=True)
    input_dropout: float = strength(schedule="dropout_schedule", is_noise=True)

    def check(self) -> None:
        require_rate("regularization.dropout", self.dropout)
        require_rate("regularization.input_dropout", self.input_dropout)

    def check_beside(self, config: Config) -> None:
        n_hidden, key = config.network.n_hidden, "regularization.dropout"
        if n_hidden == 0:
            rule = f"{key} == 0 without hidden layers (input_dropout drops features)"
            require(self.dropout in (0, ()), rule, key, self.dropout)
        if isinstance(self.dropout, tuple) and n_hidden is not None:
            rule = f"len({key}) == len(network.hidden) == {n_hidden}"
            require(len(self.dropout) == n_hidden, rule, key, list(self.dropout))

    def dropout_rates(self, n_hidden: int) -> tuple[float, ...]:
        """The rate of each of `n_hidden` layers."""
        return self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * n_hidden


class Dropout(Effect):
    """Sets the rates of the network's dropout layers, and fills in the random bits that a step's masks are made of.

    A fit's bits are the same whichever layers its neighbours need: hidden layers come first, the input last, and a
    longer row of bits begins with the shorter one's.
    """

    order = 20
    settings = DropoutSettings

    def load(self, configs: Sequence[Config]) -> None:
        *hidden_layers, input_layer = self.fits.network.noisy_layers
        rates = [config.regularization.dropout_rates(len(hidden_layers)) for config in configs]
        for i, layer in enumerate(hidden_layers):
            layer.set_rates([own[i] for own in rates])
        input_layer.set_rates([config.regularization.input_dropout for config in configs])

    def on_batch(self, batch: Batch) -> None:
        self.fill_masks(batch.seeds, batch.steps, batch.x_KBI.shape[1])

    def fill_masks(self, seeds: Sequence[int], steps: Sequence[int], batch: int) -> None:
        """Random bits for the layers that drop something: one row a fit."""
        import torch

        layers = [layer for layer in self.fits.network.noisy_layers if layer.width]  # 0: with noise of torch's own
        while layers and not layers[-1].is_on:
            layers.pop()
        total = sum(layer.width for layer in layers) * batch
        if total == 0:
            return
        needed = [any(layer.rates[k] > 0 for layer in layers) for k in range(len(seeds))]
        int16_KN = self.fits.noise.bits_KN(seeds, steps, needed, -(-total // 4)).view(torch.int16)
        offset = 0
        for layer in layers:
            size = layer.width * batch
            layer.bits = int16_KN[:, offset : offset + size].view(-1, batch, layer.width)
            offset += size
