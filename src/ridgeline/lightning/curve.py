"""The curve of a LightningModule's training, and what follows from it: early stopping, the best weights, its end."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.config.deciding import training_keys
from ridgeline.lightning.rank import is_first, mean_of, of_each, of_first, this_rank
from ridgeline.stack.records import Row, after_epoch

LAST = "last.ckpt"
State = dict[str, Tensor]


def state_of(module: torch.nn.Module) -> State:
    """Copies of its tensors by name, on the CPU; two names of one tensor have a copy each."""
    state = module.state_dict().items()
    return {name: value.detach().cpu().clone() for name, value in state if isinstance(value, Tensor)}


class Curve:
    """The hooks of a callback that runs after all others: see `package.as_callback`.

    A row has the `epoch` and every number that was logged by then, by the names that the module and its callbacks gave.
    `go_on` is handed each row when the next epoch begins, for only then it is known whether a callback ended the
    training; it says whether to train that epoch. `listener` gets each row at once. `weights_of` gives what is kept of
    the module. In `folder` a long training saves `last.ckpt`.

    Where several processes train together each has one of these, with the same rows: a number is the mean of theirs.
    `go_on`, `listener` and the weights are the first one's affair, and what it decides holds for all.
    """

    def __init__(
        self,
        config: Config,
        *,
        go_on: Callable[[Row], bool] | None = None,
        listener: Callable[[Row], None] | None = None,
        weights_of: Callable[[Any], State] = state_of,
        folder: Path | None = None,
    ) -> None:
        self._config, self._go_on, self._listener = config, go_on, listener
        self._weights_of, self._folder = weights_of, folder
        self._saved = time.monotonic()
        self._has_validated, self._told = False, 0
        self._noise: dict[str, Any] | None = None
        self.history: list[Row] = []
        self.best_epoch, self.weights = 0, dict[str, Tensor]()
        self.end: str | None = None
        self.failure: str | None = None
        self.parting: BaseException | None = None
        self._best = self._to_beat = math.inf
        self._waited = 0

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        if self._noise is not None:  # before loaders draw the order of the first epoch
            _set_noise(self._noise)
            self._noise = None

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        self._has_validated = False
        if self._go_on is not None and len(self.history) > self._told:
            self._told = len(self.history)
            if not of_first(is_first() and self._goes_on(self._go_on)):
                self.end, trainer.should_stop = "pruned", True

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        self._has_validated = True

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if self.end is not None:
            return
        epoch = float(len(self.history) + 1)
        row = mean_of(of_each({"epoch": epoch, **trainer.logger.numbers, **_numbers(trainer.callback_metrics)}))
        self.history.append(row)
        if self._listener is not None and is_first():
            self._listener(row)
        if self._has_validated or not trainer.enable_validation:
            self._measure(row, module)
        if self.end is not None:
            trainer.should_stop = True
        elif self._folder is not None and of_first(self._is_due()):
            trainer.save_checkpoint(self._folder / LAST)
            self._saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in _KEPT}
        return {**kept, "training": training_keys(self._config), "noise": of_each(_noise())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in _KEPT:
            setattr(self, name, state[name])
        noise = state["noise"]  # of each process; of the only one, in a checkpoint of before there were several
        self._noise, self._told = noise[this_rank()] if isinstance(noise, list) else noise, len(self.history)

    def _goes_on(self, go_on: Callable[[Row], bool]) -> bool:
        try:
            return go_on(self.history[-1])
        except BaseException as error:  # whoever listens is gone: no fault of the training
            self.parting = error
            raise

    def _is_due(self) -> bool:
        return time.monotonic() - self._saved >= self._config.trainer.checkpoint_interval

    def _measure(self, row: Row, module: Any) -> None:
        config = self._config
        value = row.get(config.metric)
        if value is not None and not math.isfinite(value):
            self.end, self.failure = "diverged", f"{config.metric} became {value} in epoch {row['epoch']:.0f}"
            return
        if value is not None and (not config.trainer.restore_best or self._cost(config.metric, value) < self._best):
            self._best, self.best_epoch = self._cost(config.metric, value), int(row["epoch"])
            self.weights = self._weights_of(module) if is_first() else {}
        self._stop_early(row)

    def _stop_early(self, row: Row) -> None:
        rule = self._config.callbacks.early_stopping
        if rule is None or len(self.history) <= rule.start_from_epoch:
            return
        if rule.monitor not in row:
            return
        cost = self._cost(rule.monitor, row[rule.monitor])
        self._to_beat, self._waited = after_epoch(rule, cost, self._to_beat, self._waited)
        if self._waited >= rule.patience:
            self.end = "early_stopping"

    def _cost(self, name: str, value: float) -> float:
        """The lower the better."""
        return -value if self._config.direction_of(name) == "maximize" else value


_KEPT = ("history", "best_epoch", "weights", "_best", "_to_beat", "_waited")


def _numbers(metrics: Any) -> Row:
    return {str(name): float(value) for name, value in metrics.items()}


def _noise() -> dict[str, Any]:
    """The states of the generators that a module and its data draw from."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"torch": torch.get_rng_state(), "cuda": cuda, "numpy": np.random.get_state(), "python": random.getstate()}


def _set_noise(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    np.random.set_state(states["numpy"])
    random.setstate(states["python"])
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)
