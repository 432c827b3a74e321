"""dropconnect: single weights between a hidden layer and the next are dropped at random in each step (Wan et al. 2013).

K fits, N random bits of one fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.regularizers.effect import Batch, Effect
from ridgeline.strengths import Settings, require_hidden_layers, require_rate, strength

if TYPE_CHECKING:
    from ridgeline.config import Config


@dataclass(frozen=True)
class DropConnectSettings(Settings):
    """`dropconnect`: the rate."""

    dropconnect: float = strength(
        schedule="dropout_schedule", is_noise=True, not_on_module="whose layers draw no masks of their weights"
    )

    def check(self) -> None:
        require_rate("regularization.dropconnect", self.dropconnect)

    def check_beside(self, config: Config) -> None:
        require_hidden_layers("regularization.dropconnect", self.dropconnect, config.network.n_hidden)


class DropConnect(Effect):
    """One mask a step and fit for all examples of a batch, where the source draws a mask an example."""

    order = 21
    settings = DropConnectSettings

    def load(self, configs: Sequence[Config]) -> None:
        for layer in self.fits.network.weight_droppers:
            layer.set_rates([config.regularization.dropconnect for config in configs])

    def on_batch(self, batch: Batch) -> None:
        self.fill_masks(batch.seeds, batch.steps)

    def fill_masks(self, seeds: Sequence[int], steps: Sequence[int]) -> None:
        """Random bits for the weights that a step drops: one row a fit, layer after layer."""
        import torch

        from ridgeline.networks.stacking.noise import Purpose

        layers = self.fits.network.weight_droppers
        needed = [any(layer.rates[k] > 0 for layer in layers) for k in range(len(seeds))]
        total = sum(layer.width for layer in layers)
        words_KN = self.fits.noise.bits_KN(seeds, steps, needed, -(-total // 4), Purpose.WEIGHT_MASK)
        pieces_KN = words_KN.view(torch.int16)[:, :total].split([layer.width for layer in layers], dim=1)
        for layer, piece_KN in zip(layers, pieces_KN, strict=True):
            layer.bits = piece_KN.unsqueeze(1)
