"""What a regularizer is to the stack: an effect, told of each moment at which it may act.

K fits, B batch, I inputs, P parameters of one fit, R rows of numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ridgeline.strengths import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from ridgeline.config import Config
    from ridgeline.networks.stacking.noise import KeyedNoise
    from ridgeline.tasks.data_loss import Mixing


@dataclass
class Batch:
    """The examples of a step, which effects change in place, and what they make of its loss.

    `seeds` and `steps` key each fit's noise. `mixing`: the examples that were mixed in; None where none were.
    `smoothing_K`: the label smoothing of each fit; None where no fit has any. `weights_KB`: how much each example
    counts; None where all count alike.
    """

    x_KBI: Tensor
    targets_KB: Tensor
    seeds: list[int]
    steps: list[int]
    mixing: Mixing | None = None
    smoothing_K: Tensor | None = None
    weights_KB: Tensor | None = None


class Fits(Protocol):
    """The K fits of a stack as effects see them. `rows` holds their parameters and gradients, a row a fit."""

    configs: list[Config]
    network: Any
    rows: Any
    optimizer: Any
    splits: Any
    n_penalized: int
    """So many weights, the first of a row, are those that `regularization.penalize` names."""

    @property
    def noise(self) -> KeyedNoise: ...

    @property
    def steps(self) -> list[int]:
        """How many steps each fit has done."""

    @property
    def seeds(self) -> list[int]: ...

    def numbers_K(self, values: Sequence[float]) -> Tensor:
        """A number a fit, in the type and on the device of the weights."""


class Effect:
    """Does nothing by itself: a subclass acts at the moments that it needs.

    `is_on` decides whether an effect takes part: in an epoch in which it is on for no fit, only `load` is called.
    A fit for which it is off, in a stack where it is on for another one, must end with the bits that it has alone.
    """

    order: ClassVar[float] = 50
    """Of all effects the one with the smallest acts first, at each moment."""

    settings: ClassVar[type[Settings] | None] = None
    """The keys of its file."""

    fits: Fits

    numbers_RK: Tensor
    """What `numbers` gave for this step, in the type and on the device of the weights."""

    @classmethod
    def is_on(cls, config: Config) -> bool:
        """Whether it acts on a fit with this configuration: one of its strengths is more than 0."""
        return cls.settings is None or cls.settings.is_on_in(config)

    def structure(self, config: Config) -> Hashable:
        """What of a fit's configuration decides which operations a step has, and not only with which numbers."""
        return self.is_on(config)

    def attach(self, fits: Fits) -> None:
        """Once, before anything else: these are the fits."""
        self.fits = fits

    def kept(self, name: str, value: Tensor) -> Tensor:
        """What `load` made, in a tensor that stays where it is from load to load, as long as it has this shape: a step
        that was captured as a whole finds it there again."""
        known: dict[str, Tensor] = self.__dict__.setdefault("_kept", {})
        if name in known and known[name].shape == value.shape:
            known[name].copy_(value)
        else:
            known[name] = value
        return known[name]

    @property
    def all_kept(self) -> list[Tensor]:
        """What `kept` has."""
        known: dict[str, Tensor] = self.__dict__.get("_kept", {})
        return list(known.values())

    def begin(self, k: int) -> None:
        """Row `k` has a fresh fit, whose configuration is `fits.configs[k]`; nothing of the one before may be left."""

    def load(self, configs: Sequence[Config]) -> None:
        """Before an epoch: the configuration of each fit for it, its strengths and rates as schedules have them."""

    def numbers(self) -> Sequence[Sequence[float]]:
        """Before a step, of which `fits.steps` count those done: what it needs anew in each, rows of a number a fit.

        Those of all effects reach the device together, as one small copy, and are then in `numbers_RK`."""
        return ()

    def on_batch(self, batch: Batch) -> None:
        """Before the forward pass."""

    def on_gradients(self) -> None:
        """Between the backward pass and the optimizer's step, without autograd: `fits.rows.grads_KP` are the
        gradients."""

    def after_step(self) -> None:
        """After the optimizer's step, without autograd; `fits.steps` count it."""

    def values_K(self) -> Tensor | None:
        """What each fit's objective has of it beside the data loss; None: nothing."""
        return None

    def before_validation(self) -> None:
        """What is validated, and kept where it is best, are the weights that this leaves in `fits.rows.state_KS`."""

    def after_validation(self) -> None:
        """The weights become the trained ones again."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold of it."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """What `state` gave."""
