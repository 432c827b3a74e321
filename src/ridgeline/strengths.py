"""Keys that say how much there is of something, 0 = off: each is declared by the file that does it.

`ridgeline.config` gathers those of `ridgeline.regularizers` into the groups `regularization` and `augmentation`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from ridgeline.checking import ConfigError, nearest, require
from ridgeline.target import Target

BATCHES = "whose batches are as its own code gets them"
LOSS = "whose own code computes the loss"
"""Why a strength does not act on a LightningModule of the user's own: see `Strength.not_on_module`."""

LEAST_KEPT = 2.0**-16
"""The least share of units or weights that a mask keeps: 16 random bits decide on each."""

Schedule = Literal["dropout_schedule", "penalty_schedule"]


@dataclass(frozen=True)
class Strength:
    """What is known of such a key.

    `schedule`: the callback that multiplies it. `forms`: the keys that say how it acts. `is_noise`: training draws
    random numbers for it. `in_objective`: a step still goes along the gradient of the objective that is measured.
    `not_on_module`: why it cannot act on a LightningModule of the user's own; None: it acts on one too.
    """

    schedule: Schedule | None = None
    forms: tuple[str, ...] = ()
    is_noise: bool = False
    in_objective: bool = True
    not_on_module: str | None = None


def strength(default: float | None = 0.0, **known: Any) -> Any:
    """A field that is batchable: it changes no tensor's shape. `known`: the fields of its `Strength`."""
    return dataclasses.field(default=default, metadata={"batchable": True, "strength": Strength(**known)})


def form(default: str, *, gradient: str | None = None) -> Any:
    """A field that says how strengths act, and does nothing by itself. `gradient`: its value with which a step goes
    along the gradient of the objective, where another does not."""
    return dataclasses.field(default=default, metadata={"gradient": gradient})


class Settings:
    """The keys of one file: a subclass is a frozen dataclass, and a base class of the group that is gathered."""

    group: ClassVar[str] = "regularization"

    def check(self) -> None:
        """Raise ConfigError where a value breaks a rule."""

    def check_beside(self, config: Any) -> None:
        """The same for the rules that the rest of the configuration brings."""

    def check_on_module(self, config: Any) -> None:
        """The same where a LightningModule of the user's own is trained, beside what its strengths say themselves."""

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        """The same for the network itself, which has so many layers with weights that can be penalized, and so many
        dropout layers."""

    @classmethod
    def is_on_in(cls, config: Any) -> bool:
        """Whether one of these strengths is more than 0 in a configuration."""
        values = getattr(config, cls.group)
        return any(is_positive(getattr(values, name)) for name in strengths_of(cls))


@dataclass(frozen=True)
class OwnEffect(Target):
    """A regularizer of anyone's, by `regularization.NAME._target_`: a subclass of `ridgeline.Effect`."""

    def _checked(self, own: Mapping[str, Any]) -> dict[str, Any]:
        key, bases = f"{self.key}._target_", [base.__name__ for base in getattr(self.find(), "__mro__", ())]
        require("Effect" in bases, f"{key} is a subclass of ridgeline.Effect", key, self.path)
        _check_moments(self, key)
        return super()._checked(own)

    def methods(self) -> list[str]:
        """What it has beside that which every `Effect` has."""
        mro = self.find().__mro__  # type: ignore[attr-defined]
        effect = next(place for place, base in enumerate(mro) if base.__name__ == "Effect")
        return [name for base in mro[:effect] for name, value in vars(base).items() if callable(value)]


SILENT = ("structure", "attach", "kept", "is_on", "values_K", "after_validation", "state", "load_state")
"""Methods of an `Effect` that change nothing of a training by themselves."""
MOMENT = re.compile("on_|before_|after_|values_")


def _check_moments(target: OwnEffect, key: str) -> None:
    """Raise ConfigError for a class whose methods are none of an effect's moments: it would train without it."""
    mro = target.find().__mro__  # type: ignore[attr-defined]
    effect = next(base for base in mro if base.__name__ == "Effect")
    moments = [name for name, value in vars(effect).items() if callable(value) and not name.startswith("_")]
    names = target.methods()
    for name in names:
        is_like_one = MOMENT.match(name) or difflib.get_close_matches(name, moments, cutoff=0.8)
        if name not in moments and not name.startswith("_") and is_like_one:
            raise ConfigError(f"{target.path} has {name}, which is no moment of an Effect. {nearest(name, moments)}")
    acting = [name for name in moments if name not in SILENT]
    rule = f"{key} acts at one of the moments {', '.join(acting)}"
    require(any(name in names for name in acting), rule, key, target.path)


@dataclass(frozen=True)
class Group:
    """A group that is gathered: what can be asked of all its keys."""

    kinds: ClassVar[tuple[type[Settings], ...]]

    def check(self) -> None:
        for kind in self.kinds:
            kind.check(self)  # type: ignore[arg-type]

    def check_beside(self, config: Any) -> None:
        for kind in self.kinds:
            kind.check_beside(self, config)  # type: ignore[arg-type]

    def check_on_module(self, config: Any) -> None:
        """Raise ConfigError for a strength that cannot act on a LightningModule of the user's own."""
        for name, known in strengths_of(self).items():
            value, key = getattr(self, name), f"{self.kinds[0].group}.{name}"
            holds = known.not_on_module is None or not is_positive(value)
            require(holds, f"{key} == 0 with model, {known.not_on_module},", key, value)
        for kind in self.kinds:
            kind.check_on_module(self, config)  # type: ignore[arg-type]

    def check_network(self, module: Any, n_layers: int, n_dropouts: int) -> None:
        """The rules that the network itself brings."""
        for kind in self.kinds:
            kind.check_network(self, module, n_layers, n_dropouts)  # type: ignore[arg-type]

    def strengths_on(self) -> dict[str, Any]:
        """Those that are more than 0, by key."""
        values = {name: getattr(self, name) for name in strengths_of(self)}
        return {name: value for name, value in values.items() if is_positive(value)}

    @property
    def is_on(self) -> bool:
        return bool(self.strengths_on())

    @property
    def is_off(self) -> bool:
        return not self.is_on

    def without(self, which: Callable[[Strength], bool]) -> Self:
        """With these strengths off."""
        return self.times({name: 0.0 for name, known in strengths_of(self).items() if which(known)})

    def only(self, names: Collection[str], **default: Any) -> Self:
        """With these strengths, in their forms, and all else as it is by default, or as `default` says."""
        forms = [name for name, readers in forms_of(self).items() if set(readers) & set(names)]
        kept = [name for name in (*strengths_of(self), *forms) if name in {*names, *forms}]
        return type(self)(**{**default, **{name: getattr(self, name) for name in kept}})

    def without_noise(self) -> Self:
        return self.without(lambda known: known.is_noise)

    def as_gradient(self) -> Self:
        """So that a step of plain gradient descent is the gradient of the objective."""
        forms = {f.name: f.metadata["gradient"] for f in dataclasses.fields(self) if f.metadata.get("gradient")}
        return dataclasses.replace(self.without(lambda known: not known.in_objective), **forms)

    def scheduled(self, factors: Mapping[str, float]) -> Self:
        """With each strength times the factor of its schedule."""
        known = {name: each.schedule for name, each in strengths_of(self).items() if each.schedule is not None}
        return self.times({name: factors[schedule] for name, schedule in known.items() if factors[schedule] != 1})

    def times(self, factors: Mapping[str, float]) -> Self:
        """With these strengths times a factor each, of which 0 is off whatever there was."""
        changes: dict[str, Any] = {}
        for name, factor in factors.items():
            value = getattr(self, name)
            if value is None:  # whatever the network has of its own
                changes[name] = 0.0 if factor == 0 else None
            else:
                changes[name] = tuple(one * factor for one in value) if isinstance(value, tuple) else value * factor
        return dataclasses.replace(self, **changes)


def strengths_of(kind: Any) -> dict[str, Strength]:
    """By key; of a class or an object."""
    return {f.name: f.metadata["strength"] for f in dataclasses.fields(kind) if "strength" in f.metadata}


def forms_of(kind: Any) -> dict[str, list[str]]:
    """The keys that are no strengths, each with the strengths that read it."""
    names = [f.name for f in dataclasses.fields(kind) if "gradient" in f.metadata]
    return {name: [key for key, known in strengths_of(kind).items() if name in known.forms] for name in names}


def is_positive(value: float | tuple[float, ...] | None) -> bool:
    """Of a list: whether one of it is."""
    return any(value) if isinstance(value, tuple) else value is not None and value > 0


def require_hidden_layers(key: str, value: float, n_hidden: int | None) -> None:
    """`value` is 0 where the network has none; None: its code alone can tell."""
    require(value == 0 or n_hidden != 0, f"{key} == 0 without hidden layers", key, value)


def require_layers(key: str, value: float, n_layers: int, *, hidden: bool = False) -> None:
    """`value` is 0 where the network has no layers whose weights it acts on, or no hidden ones."""
    holds, what = value == 0 or n_layers > hidden, "a hidden layer" if hidden else "a layer"
    require(holds, f"the network has {what} with weights (Linear, Conv, Embedding)", key, value)


def require_at_least_0(key: str, value: float) -> None:
    require(0 <= value < math.inf, f"0 <= {key} < inf", key, value)


def require_share(key: str, value: float) -> None:
    require(0 <= value < 1, f"0 <= {key.rpartition('.')[2]} < 1", key, value)


def require_rate(key: str, value: float | tuple[float, ...]) -> None:
    """Of a mask, or a rate for each of several."""
    name = key.rpartition(".")[2]
    rates, shown = (value, list(value)) if isinstance(value, tuple) else ((value,), value)
    require(all(0 <= rate < 1 for rate in rates), f"0 <= {name} < 1", key, shown)
    rule = f"{name} <= 1 - 2**-16 (a mask is drawn with 16 bits)"
    require(all(1 - rate >= LEAST_KEPT for rate in rates), rule, key, shown)
