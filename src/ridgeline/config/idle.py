"""Keys without effect: what a configuration holds and its training does not read, given all the others.

A file of conf/ may hold such a key; a user who types one expects something of it, so it is refused (`refuse_idle`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ridgeline.checking import ConfigError
from ridgeline.config.callbacks import ScheduleConfig
from ridgeline.config.data import MADE
from ridgeline.config.model import INSTEAD, OwnModel
from ridgeline.config.regularization import RegularizationConfig
from ridgeline.config.trial import Config
from ridgeline.strengths import forms_of, strengths_of

OPTIMIZERS = {
    "momentum": ("sgd",),
    "nesterov": ("sgd",),
    "betas": ("adam", "adamw"),
    "eps": ("adam", "adamw"),
    "weight_decay": ("adamw",),
}
"""Which optimizers read a key."""


OF_DATA = ("data.zca_epsilon", "data.seed")


@dataclass(frozen=True)
class Idle:
    """`key` and all below it are without effect, since `rule` does not hold: `shown` is the value that breaks it."""

    key: str
    rule: str
    shown: str

    def __str__(self) -> str:
        return f"`{self.rule}` must hold where {self.key} is given, but got {self.shown}."


def idle_keys(config: Config) -> Iterator[Idle]:
    if config.model is not None:
        yield from _beside_model(config, config.model)
    else:
        yield from (Idle(*idle) for idle in config.network.idle())
        yield from _of_optimizer(config)
        yield from _of_data(config)
        yield from _of_learning_rate(config)
    yield from _of_regularization(config)
    yield from _of_schedules(config)
    yield from _of_stopping(config)


def still_idle(before: Mapping[str, Idle] | None, config: Config) -> dict[str, Idle]:
    """Those that are without effect in this configuration and in the ones before; None: there was none before."""
    found = {idle.key: idle for idle in idle_keys(config)}
    return found if before is None else {key: idle for key, idle in before.items() if key in found}


def refuse_idle(typed: Mapping[str, Sequence[str]], idle: Iterable[Idle]) -> None:
    """Raise ConfigError for a typed key that is without effect. `typed`: each key with its choices, of which a key that
    is no group has none."""
    for one in idle:
        for key, choices in typed.items():
            if names(key, choices, one.key):
                raise ConfigError(str(one))


def names(key: str, choices: Sequence[str], idle: str) -> bool:
    """Whether an argument is about this key: it sets it or something below, or chooses the file that holds it."""
    return f"{key}.".startswith(f"{idle}.") or idle in [f"{key}.{choice}" for choice in choices]


def may_be_idle(argument: str) -> bool:
    """Whether there are configurations in which what an argument sets is without effect: asked without one, at once."""
    key = argument.lstrip("+~").partition("=")[0].replace("/", ".")
    forms = (f"regularization.{name}" for name in forms_of(RegularizationConfig))
    known = ("callbacks", "lr_schedule", *OF_DATA, *(f"optimizer.{name}" for name in OPTIMIZERS), *forms)
    return key.startswith("network.") or any(f"{key}.".startswith(f"{one}.") for one in known)


def _beside_model(config: Config, model: OwnModel) -> Iterator[Idle]:
    """A module of the user's own does the work of whole groups, and their DataModule that of others."""
    for key in (*INSTEAD, "task", "callbacks.diagnostics"):
        yield Idle(key, "model is null", f"model={model.path}")
    if config.data.is_module:
        yield Idle("trainer.batch_size", "data are no LightningDataModule", f"data={config.data.title}")


def _of_optimizer(config: Config) -> Iterator[Idle]:
    name = config.optimizer.name
    if name == "own":
        return
    for key, readers in OPTIMIZERS.items():
        if name not in readers:
            yield Idle(f"optimizer.{key}", f"optimizer in {{{', '.join(readers)}}}", f"optimizer={name}")


def _of_data(config: Config) -> Iterator[Idle]:
    data = config.data
    if data.standardize != "zca":
        yield Idle("data.zca_epsilon", "data.standardize == zca", f"data.standardize={data.standardize}")
    if data.split == "first" and data.name not in MADE and data.examples is None and not data.permute_labels:
        yield Idle("data.seed", "data.split != first (or data.examples is given)", "data.split=first")


def _of_regularization(config: Config) -> Iterator[Idle]:
    for name, readers in forms_of(config.regularization).items():
        if not set(readers) & set(config.regularization.strengths_on()):
            yield Idle(f"regularization.{name}", *_none_of(readers))


def _of_schedules(config: Config) -> Iterator[Idle]:
    own, epochs = config.regularization, config.trainer.max_epochs
    for name in ("dropout_schedule", "penalty_schedule"):
        schedule, key = getattr(config.callbacks, name), f"callbacks.{name}"
        if schedule is None:
            continue
        multiplied = [each for each, known in strengths_of(own).items() if known.schedule == name]
        if not set(multiplied) & set(own.strengths_on()):
            yield Idle(key, *_none_of(multiplied))
        elif (broken := _never_changes(key, schedule, epochs)) is not None:
            yield Idle(key, *broken)


def _of_stopping(config: Config) -> Iterator[Idle]:
    epochs = config.trainer.max_epochs
    stopping = config.callbacks.early_stopping
    if stopping is not None and stopping.patience + stopping.start_from_epoch >= epochs:
        key = "callbacks.early_stopping.patience"
        rule, shown = f"{key} < trainer.max_epochs == {epochs}", f"{key}={stopping.patience}"
        for name in ("patience", "min_delta", "monitor", "start_from_epoch"):
            yield Idle(f"callbacks.early_stopping.{name}", rule, shown)


def _none_of(strengths: Sequence[str]) -> tuple[str, str]:
    """The rule that one of them is more than 0, and the value that breaks it."""
    return f"one of {', '.join(strengths)} > 0", f"regularization.{strengths[0]}=0.0"


def _of_learning_rate(config: Config) -> Iterator[Idle]:
    schedule, epochs = config.lr_schedule, config.trainer.max_epochs
    if schedule.name == "own":
        return
    readers = {"final_factor": "cosine", "step_size": "step", "gamma": "step"}
    for key, reader in readers.items():
        if schedule.name != reader:
            yield Idle(f"lr_schedule.{key}", f"lr_schedule={reader}", f"lr_schedule={schedule.name}")
    key = "lr_schedule"
    if schedule.name == "cosine" and schedule.final_factor == 1:
        yield Idle(key, "lr_schedule.final_factor < 1", "lr_schedule.final_factor=1.0")
    elif schedule.name == "cosine" and epochs == 1:
        yield Idle(key, "trainer.max_epochs >= 2", "trainer.max_epochs=1")
    elif schedule.name == "step" and schedule.gamma == 1:
        yield Idle(key, "lr_schedule.gamma < 1", "lr_schedule.gamma=1.0")
    elif schedule.name == "step" and schedule.step_size >= epochs:
        rule = f"lr_schedule.step_size < trainer.max_epochs == {epochs}"
        yield Idle(key, rule, f"lr_schedule.step_size={schedule.step_size}")


def _never_changes(key: str, schedule: ScheduleConfig, epochs: int) -> tuple[str, str] | None:
    """The rule and the value that breaks it where the factor is the same in every epoch."""
    if schedule.name == "constant":
        return f"{key}.name is not constant", f"{key}.name=constant"
    if schedule.name in ("early", "late") and schedule.epochs >= epochs:
        return f"{key}.epochs < trainer.max_epochs == {epochs}", f"{key}.epochs={schedule.epochs}"
    return ("trainer.max_epochs >= 2", "trainer.max_epochs=1") if epochs == 1 else None
