"""dropout and input_dropout: hidden units, or features, are dropped at random in each step (Srivastava et al. 2014).

K fits, B batch.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.checking import ConfigError, require
from ridgeline.regularizers.effect import Batch, Effect
from ridgeline.strengths import BATCHES, Settings, require_rate, strength

if TYPE_CHECKING:
    from ridgeline.config import Config


@dataclass(frozen=True)
class DropoutSettings(Settings):
    """`dropout`: one rate for every dropout layer of the network, or a rate for each; None: each keeps the rate that
    the network's author gave it, which in our own is 0. `input_dropout`: that of the features."""

    dropout: float | tuple[float, ...] | None = strength(None, schedule="dropout_schedule", is_noise=True)
    input_dropout: float = strength(schedule="dropout_schedule", is_noise=True, not_on_module=BATCHES)

    def check(self) -> None:
        require_rate("regularization.dropout", 0.0 if self.dropout is None else self.dropout)
        require_rate("regularization.input_dropout", self.input_dropout)

    def check_beside(self, config: Config) -> None:
        n_hidden, key = config.network.n_hidden, "regularization.dropout"
        if n_hidden == 0:
            rule = f"{key} == 0 without hidden layers (input_dropout drops features)"
            require(self.dropout in (None, 0, ()), rule, key, self.dropout)
        if n_hidden is not None:
            self._require_rate_for_each(n_hidden)

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        key = "regularization.dropout"
        self._require_rate_for_each(n_dropouts)
        if self.dropout not in (None, 0, ()) and n_dropouts == 0:
            rule = f"{key} == 0, for the network has no dropout layer,"
            cure = f"{key}=null leaves it out of a search."
            raise ConfigError(f"`{rule}` must hold, but got {key}={self.dropout}. {cure}")

    def _require_rate_for_each(self, n: int) -> None:
        key = "regularization.dropout"
        if isinstance(self.dropout, tuple):
            rule = f"len({key}) == {n}, the network's dropout layers,"
            require(len(self.dropout) == n, rule, key, list(self.dropout))

    def dropout_rates(self, n_hidden: int) -> tuple[float, ...]:
        """The rate of each of `n_hidden` layers, 0 where none is given."""
        return self.dropout if isinstance(self.dropout, tuple) else (self.dropout or 0.0,) * n_hidden


def rates_of(config: Config, own_rates: tuple[float, ...]) -> tuple[float, ...]:
    """Of each layer, from those that the network's author gave."""
    if config.regularization.dropout is None:
        return own_rates
    rates: tuple[float, ...] = config.regularization.dropout_rates(len(own_rates))
    return rates


class Dropout(Effect):
    """Sets the rates of the network's dropout layers, and fills in the random bits that a step's masks are made of.

    A fit's bits are the same whichever layers its neighbours need: hidden layers come first, the input last, and a
    longer row of bits begins with the shorter one's.
    """

    order = 20
    settings = DropoutSettings

    @classmethod
    def is_on(cls, config: Config) -> bool:
        """A network of the user's own may have rates of its own."""
        keeps_rates = config.network.n_hidden is None and config.regularization.dropout is None
        return keeps_rates or cls.settings.is_on_in(config)

    def structure(self, config: Config) -> Hashable:
        """Which of the layers drop anything."""
        return *(rate > 0 for rate in rates_of(config, self._own_rates)), config.regularization.input_dropout > 0

    @property
    def _own_rates(self) -> tuple[float, ...]:
        *hidden_layers, _ = self.fits.network.noisy_layers
        return tuple(layer.own_rate for layer in hidden_layers)

    def load(self, configs: Sequence[Config]) -> None:
        *hidden_layers, input_layer = self.fits.network.noisy_layers
        rates = [rates_of(config, self._own_rates) for config in configs]
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
