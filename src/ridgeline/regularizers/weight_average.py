"""weight_average: an average of the weights over a fit's steps is validated and kept (EMA; Polyak, Juditsky 1992).

K fits, S numbers of one fit: its parameters, and the running statistics that go with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.regularizers.effect import Effect
from ridgeline.strengths import Settings, require_share, strength

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config


@dataclass(frozen=True)
class WeightAverageSettings(Settings):
    """`weight_average`: the decay, which belongs to the step before."""

    weight_average: float = strength(in_objective=False)

    def check(self) -> None:
        require_share("regularization.weight_average", self.weight_average)


class WeightAverage(Effect):
    """Exponential moving averages with the decay `weight_average`, a fit each.

    After t steps the weights of step i count (1 - d) * d**(t - i) / (1 - d**t): corrected for the start as Adam's
    moments are, where torch's swa_utils lets the first step's weights count d**(t - 1), most of the sum for many steps.
    """

    order = 40
    settings = WeightAverageSettings

    def __init__(self) -> None:
        self.values_KS: Tensor | None = None
        self._trained_KS: Tensor | None = None

    def begin(self, k: int) -> None:
        """Whatever the fit before left goes: NaN times 0 is NaN."""
        if not any(self.is_on(config) for config in self.fits.configs):
            self.values_KS = None
        elif self.values_KS is None:
            self.values_KS = self.fits.rows.state_KS.clone()
        else:
            self.values_KS[k] = self.fits.rows.state_KS[k]

    def load(self, configs: Sequence[Config]) -> None:
        self._decays = [config.regularization.weight_average for config in configs]
        self._is_averaged_K1 = self.kept("averaged", self.fits.numbers_K(self._decays) > 0).unsqueeze(1)

    def numbers(self) -> Sequence[Sequence[float]]:
        """The share of the weights that the step will give."""
        return ([(1 - d) / (1 - d ** (steps + 1)) for d, steps in zip(self._decays, self.fits.steps, strict=True)],)

    def after_step(self) -> None:
        """Take the new weights in."""
        assert self.values_KS is not None
        self.values_KS.lerp_(self.fits.rows.state_KS, self.numbers_RK[0].unsqueeze(1))

    def before_validation(self) -> None:
        """The network becomes the averaged one, where a fit has an average."""
        import torch

        assert self.values_KS is not None
        rows = self.fits.rows
        self._trained_KS = rows.state_KS.clone()
        rows.state_KS.copy_(torch.where(self._is_averaged_K1, self.values_KS, self._trained_KS))

    def after_validation(self) -> None:
        self.fits.rows.state_KS.copy_(self._trained_KS)
        self._trained_KS = None

    def state(self) -> dict[str, Any]:
        return {"values_KS": self.values_KS}

    def load_state(self, state: dict[str, Any]) -> None:
        if state["values_KS"] is not None:
            self.values_KS = state["values_KS"].to(self.fits.rows.state_KS)
