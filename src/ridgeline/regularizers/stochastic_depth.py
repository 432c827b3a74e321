"""stochastic_depth: the branches of residual blocks are left out at random in each step (Huang et al. 2016).

K fits, B batch, L residual blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ridgeline.checking import require
from ridgeline.regularizers.effect import Batch, Effect, Fits
from ridgeline.strengths import Settings, require_rate, strength

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ridgeline.config import Config

MARKS = ("StochasticDepth", "DropPath")
"""Classes of layers, as torchvision and timm call them, through which what a branch gives goes before it is added. One
of your own does nothing by itself: `class DropPath(nn.Identity): ...`."""


@dataclass(frozen=True)
class StochasticDepthSettings(Settings):
    """`stochastic_depth`: the rate of the last block; the l-th of L has l / L of it, as in the source."""

    stochastic_depth: float = strength(
        schedule="dropout_schedule", is_noise=True, not_on_module="whose residual blocks have rates of their own"
    )

    def check(self) -> None:
        require_rate("regularization.stochastic_depth", self.stochastic_depth)

    def check_beside(self, config: Config) -> None:
        key, value = "regularization.stochastic_depth", self.stochastic_depth
        require(value == 0 or config.network.n_hidden is None, f"{key} == 0 without residual blocks", key, value)

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        require_marks(self.stochastic_depth, len(_marked(module)))


def require_marks(rate: float, n_blocks: int) -> None:
    rule = f"the network has layers of a class {' or '.join(MARKS)}, at the ends of its residual branches,"
    require(rate == 0 or n_blocks > 0, rule, "regularization.stochastic_depth", rate)


class StochasticDepth(Effect):
    """A branch is left out for an example by itself, and multiplied by 1 / (1 - rate) where it is kept."""

    order = 22
    settings = StochasticDepthSettings

    def attach(self, fits: Fits) -> None:
        super().attach(fits)
        self._factors_LKB: Tensor | None = None
        stack = fits.network.stack
        self._copies = getattr(stack, "copies", None)
        self._n_blocks = len(_marked(stack.module if self._copies is None else self._copies[0]))
        if self._copies is None:
            self._watch(stack.module, slice(None))

    def begin(self, k: int) -> None:
        if self._copies is not None:  # each fit has a fresh one
            self._watch(self._copies[k], slice(k, k + 1))

    def load(self, configs: Sequence[Config]) -> None:
        import torch

        self._factors_LKB = None
        self._rates, n = [config.regularization.stochastic_depth for config in configs], self._n_blocks
        require_marks(max(self._rates), n)
        rates = [[rate * (place + 1) / n for place in range(n)] for rate in self._rates]
        like = self.fits.rows.values_KP
        rate_KL = torch.tensor(rates, dtype=like.dtype, device=like.device)
        self._rate_KL1 = self.kept("rates", rate_KL).unsqueeze(2)

    def on_batch(self, batch: Batch) -> None:
        import torch

        from ridgeline.networks.stacking.noise import purpose_of

        k, b, n = len(self._rates), batch.x_KBI.shape[1], self._n_blocks
        needed, purpose = [rate > 0 for rate in self._rates], purpose_of("stochastic_depth")
        words_KN = self.fits.noise.bits_KN(batch.seeds, batch.steps, needed, -(-n * b // 4), purpose)
        bits_KLB = words_KN.view(torch.int16)[:, : n * b].view(k, n, b)
        kept_KLB = bits_KLB <= 32767 - (self._rate_KL1 * 65536).round()
        self._factors_LKB = (kept_KLB / (1 - self._rate_KL1)).transpose(0, 1)

    def _watch(self, module: nn.Module, fits: slice) -> None:
        for place, layer in enumerate(_marked(module)):
            layer.register_forward_hook(partial(self._leave_out, place, fits))

    def _leave_out(self, place: int, fits: slice, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        if not layer.training or self._factors_LKB is None:
            return output
        factors_N = self._factors_LKB[place, fits].flatten()
        return (output.reshape(len(factors_N), -1) * factors_N.to(output.dtype).unsqueeze(1)).view(output.shape)


def _marked(module: nn.Module) -> list[nn.Module]:
    return [layer for layer in module.modules() if type(layer).__name__ in MARKS]
