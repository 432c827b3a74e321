"""`regularization.*` on a LightningModule of anyone's, without an edit of it: one callback.

Penalties join the gradients between backward pass and clipping, once for each step of the optimizer; bounds and
proximal steps act right after it; rates of dropout layers are set before each epoch; averaged weights are those that
are validated. So a module trains as if its author had written it all into it: tests/test_module_effects.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer

from ridgeline.config import Config, ConfigError
from ridgeline.lightning.curve import State, state_of
from ridgeline.lightning.module_fit import ModuleFit, acts_at, require_known_steps
from ridgeline.lightning.parts import dropouts_of
from ridgeline.networks.stacking.dropouts import DropoutOfTorch
from ridgeline.regularizers import Effect, all_effects
from ridgeline.stack.schedules import scheduled
from ridgeline.stack.step_numbers import StepNumbers
from ridgeline.strengths import strengths_of


def make_effects(config: Config) -> list[pl.Callback]:
    """What acts on a module with this configuration: nothing, or one callback."""
    own = config.regularization
    return [ModuleEffects(config)] if own.is_on or own.dropout is not None else []


def weights_of(effects: Sequence[Any]) -> Callable[[Any], State]:
    """What gives the tensors that are kept of a module which trains with these callbacks."""
    return effects[0].weights_of if effects else state_of


def effects_on_modules(config: Config) -> list[Effect]:
    """One of each that can act on a module, in the order in which they act."""
    ours = [effect for effect in all_effects() if _acts_on_modules(effect)]
    own = [target.build() for _, target in config.regularization.own]
    return sorted([*ours, *own], key=lambda effect: effect.order)


def _acts_on_modules(effect: Effect) -> bool:
    settings = effect.settings
    return settings is not None and any(known.not_on_module is None for known in strengths_of(settings).values())


class ModuleEffects(pl.Callback):
    """The effects of a configuration on each optimizer of a module. An optimizer has steps, averages and noise of its
    own; what it does not train, it leaves as it is."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._optimizers: list[_OnOptimizer] = []
        self._loaded: list[dict[str, Any]] = []
        self._is_averaged = False
        self._backwards = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _require_shapes(pl_module)
        self._dropouts = [DropoutOfTorch([layer]) for layer in dropouts_of(pl_module)]
        self._optimizers = [self._act_on(pl_module, optimizer) for optimizer in trainer.optimizers]
        weights = {id(part.tensor) for each in self._optimizers for part in each.fit.weights}
        self._config.regularization.check_network(pl_module, len(weights), len(self._dropouts))
        for each, state in zip(self._optimizers, self._loaded, strict=False):
            each.load_state(state)
        self._set_epoch(trainer.current_epoch)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for place, each in enumerate(self._optimizers):
            if not each.fit.is_current:  # a callback has given it more parameters: the averages begin anew
                each.remove()
                self._optimizers[place] = self._act_on(pl_module, each.fit.torch_optimizer)
        self._set_epoch(trainer.current_epoch)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._backwards += 1

    @torch.no_grad()
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        share = 1.0
        if pl_module.automatic_optimization:  # of a loss, in whose last step of an epoch fewer batches may be summed
            share, self._backwards = self._backwards / trainer.accumulate_grad_batches, 0
        for each in self._optimizers:
            if each.fit.torch_optimizer is optimizer:
                each.on_gradients(share * _scale_of(trainer, optimizer))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._optimizers and not self._is_averaged:
            self._average()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._is_averaged:
            self._train_on()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for each in self._optimizers:
            each.remove()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizers": [each.state() for each in self._optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._loaded = state_dict["optimizers"]

    def weights_of(self, module: pl.LightningModule) -> State:
        """What is kept of the module: its tensors, with the averaged weights among them where there are some."""
        with self._averaged():
            return state_of(module)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        swaps = not self._is_averaged
        if swaps:
            self._average()
        try:
            yield
        finally:
            if swaps:
                self._train_on()

    def _average(self) -> None:
        self._is_averaged = True
        for each in self._optimizers:
            each.before_validation()

    def _train_on(self) -> None:
        self._is_averaged = False
        for each in self._optimizers:
            each.after_validation()

    def _act_on(self, module: pl.LightningModule, optimizer: Optimizer) -> _OnOptimizer:
        dropouts = self._dropouts if optimizer is module.trainer.optimizers[0] else None
        return _OnOptimizer(ModuleFit(self._config, module, optimizer, dropouts), self._config)

    def _set_epoch(self, epoch: int) -> None:
        config = scheduled(self._config, epoch)
        for each in self._optimizers:
            each.load(config)


class _OnOptimizer:
    """The effects on what one optimizer trains, and its hooks: Lightning has none for what comes after a step."""

    def __init__(self, fit: ModuleFit, config: Config) -> None:
        require_known_steps(fit.torch_optimizer, config)
        self.fit, self.effects = fit, effects_on_modules(config)
        self._on: list[Effect] = []
        self._has_gradients = self._steps = False
        self._step_numbers = StepNumbers(fit.rows.values_KP)
        for effect in self.effects:
            effect.attach(fit)
            effect.begin(0)
        own = fit.torch_optimizer
        self._hooks = [own.register_step_pre_hook(self._before), own.register_step_post_hook(self._after)]

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def load(self, config: Config) -> None:
        for effect in self.effects:
            effect.load([config])
        self._on = [effect for effect in self.effects if effect.is_on(config)]

    def on_gradients(self, scale: float) -> None:
        """`scale`: what the loss was multiplied by before its gradients were taken."""
        self._has_gradients = True
        self._steps = self.fit.begin_step()
        if self._steps:
            self._step_numbers.bring([(effect, effect.numbers()) for effect in self._on])
            self._step_numbers.give()
        acting = [effect for effect in self._on if acts_at(effect, "on_gradients")]
        if not self._steps or not acting:
            return
        self.fit.read()
        self.fit.read_gradients(scale)
        for effect in acting:
            effect.on_gradients()
        self.fit.write_gradients(scale)

    def before_validation(self) -> None:
        self._at_validation("before_validation")

    def after_validation(self) -> None:
        self._at_validation("after_validation")

    def state(self) -> dict[str, Any]:
        return {"step": self.fit.step, "effects": [effect.state() for effect in self.effects]}

    def load_state(self, state: dict[str, Any]) -> None:
        self.fit.step = state["step"]
        for effect, own in zip(self.effects, state["effects"], strict=True):
            effect.load_state(own)

    @torch.no_grad()
    def _before(self, optimizer: Optimizer, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """A step without a closure, that Lightning was not told of: `self.optimizers(use_pl_optimizer=False)`."""
        has_closure = any(value is not None for value in (*args[1:], *kwargs.values()))
        if not self._has_gradients and not has_closure:
            self.on_gradients(1.0)

    @torch.no_grad()
    def _after(self, optimizer: Optimizer, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        rule = "an optimizer's step with a closure goes through self.optimizers() with regularization"
        if not self._has_gradients:
            raise ConfigError(f"`{rule}` must hold, but got one of {type(optimizer).__name__} itself.")
        self._has_gradients = False
        if not self._steps:
            return
        self.fit.step += 1
        acting = [effect for effect in self._on if acts_at(effect, "after_step")]
        if acting:
            self.fit.read()
            for effect in acting:
                effect.after_step()
            self.fit.write_stepped()

    @torch.no_grad()
    def _at_validation(self, moment: str) -> None:
        acting = [effect for effect in self._on if acts_at(effect, moment)]
        if acting:
            self.fit.read()
            for effect in acting if moment == "before_validation" else reversed(acting):
                getattr(effect, moment)()
            self.fit.write()


def _require_shapes(module: pl.LightningModule) -> None:
    """Raise ConfigError for lazy layers, whose weights are not there before the first batch."""
    for name, tensor in module.named_parameters():
        if isinstance(tensor, UninitializedParameter):
            rule = "the weights have shapes before training with regularization (forward one batch in __init__)"
            raise ConfigError(f"`{rule}` must hold, but got {type(module).__name__}: {name} is a lazy layer's.")


def _scale_of(trainer: pl.Trainer, optimizer: Optimizer) -> float:
    """What float16's scaler has multiplied the loss by, where the optimizer divides by it in its step."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    divides = getattr(optimizer, "_step_supports_amp_scaling", False)
    return float(scaler.get_scale()) if scaler is not None and divides else 1.0
