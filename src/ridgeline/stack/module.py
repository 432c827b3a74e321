"""The one engine: a LightningModule that trains K fits, which differ in knobs only, as one model.

A fit alone is a stack of one. Nothing here runs across fits: losses are summed, gradients, norms, masks, orders and
clocks are a fit's own.
K fits, B batch, I inputs, C classes, N examples.

With folds a trial is as many fits: fold f of trial t is fit t * folds + f. They begin together, and each trains and
validates on its own rows of the same tensors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from ridgeline.config import Config, ConfigError
from ridgeline.config.batchable import structure
from ridgeline.config.deciding import training_keys
from ridgeline.config.optimizer import OwnOptimizerConfig
from ridgeline.data import Splits
from ridgeline.networks.stacking.noise import KeyedNoise
from ridgeline.regularizers import Batch, Effect, all_effects
from ridgeline.regularizers.penalized import n_penalized
from ridgeline.stack.batches import Batches, Slices
from ridgeline.stack.evaluation import Measures, data_loss_of, evaluation_batch, examples_of
from ridgeline.stack.networks import EXAMPLES, shape_of, stacked_network
from ridgeline.stack.optimizers import RowOptimizer
from ridgeline.stack.orders import Orders
from ridgeline.stack.own_optimizer import OwnRowOptimizer
from ridgeline.stack.precision import predict
from ridgeline.stack.records import FitRecord
from ridgeline.stack.step_numbers import Needing, StepNumbers
from ridgeline.stack.whole_optimizer import WholeOptimizer

KNOWN = 64
"""So many sets of numbers of the fits are kept on a device other than the CPU."""


class Stack(pl.LightningModule):
    """Trains `configs`, a trial each, on `splits`.

    `configs[k]` and `records[k]` are then what is known of fit k; the clock of each starts at 0.
    """

    best_KS: Tensor

    def __init__(self, configs: Sequence[Config], splits: Splits) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.configs = [config for config in configs for _ in range(splits.folds)]
        self.splits = splits
        self.records = [FitRecord() for _ in self.configs]
        self._shared = configs[0]
        k, device = len(self.configs), splits.train.x_NI.device
        self.network = stacked_network(configs[0], k, splits.train.features_MI(slice(EXAMPLES)), shape_of(splits))
        self.rows = self.network.rows
        self.n_penalized = n_penalized(configs[0], self.network)
        own = configs[0].optimizer
        self.optimizer: OwnRowOptimizer | RowOptimizer | WholeOptimizer
        if isinstance(own, OwnOptimizerConfig):
            self.optimizer = OwnRowOptimizer(own, self.rows)
        elif device.type == "cpu":
            self.optimizer = RowOptimizer(own, self.rows, self.n_penalized)
        else:
            self.optimizer = WholeOptimizer(own, self.rows)
        self._step_numbers = StepNumbers(self.rows.values_KP)
        self._known_K: dict[tuple[float, ...], Tensor] = {}
        self.noise = KeyedNoise(device)
        self._orders = Orders(device, splits.train.n)
        own_effects = [target.build() for _, target in configs[0].regularization.own]
        self.effects: list[Effect] = sorted([*all_effects(), *own_effects], key=lambda effect: effect.order)
        self._on: list[Effect] = []
        self._loaded: list[Config] = []
        for effect in self.effects:
            effect.attach(self)
        self.register_buffer("best_KS", torch.empty_like(self.rows.state_KS))
        self.data_loss = data_loss_of(configs[0], splits, k)
        self._on_train = Measures(configs[0].measured("train"), splits.train, splits, k)
        self._on_validation = Measures(configs[0].measured("val"), splits.validation, splits, k)
        for trial, config in enumerate(configs):
            self.load(trial, config)
        self.set_epoch([1.0] * k, self.configs)

    @torch.no_grad()
    def load(self, trial: int, config: Config) -> None:
        """Put a fresh one into the place of a trial, at its epoch 0. Its neighbours train on, wherever they are.

        Its learning rate, strengths and rates are those of `set_epoch`, which the epoch begins with.
        """
        if structure(config) != structure(self._shared):
            raise ConfigError("`fits of a stack differ in knobs only` must hold, but these differ in more.")
        for k in self.fits_of(trial):
            self.configs[k], self.records[k] = config, FitRecord()
            self.network.initialize(k, config.seed)
            self.best_KS[k] = self.rows.state_KS[k]
            self.optimizer.load(k, config)
        self._loaded = []  # what the effects know of this row holds no more
        for k in self.fits_of(trial):
            for effect in self.effects:
                effect.begin(k)

    @property
    def n_trials(self) -> int:
        return len(self.configs) // self.splits.folds

    def fits_of(self, trial: int) -> range:
        """The fits of a trial, a fold each."""
        return range(trial * self.splits.folds, (trial + 1) * self.splits.folds)

    def records_of(self, trial: int) -> list[FitRecord]:
        return [self.records[k] for k in self.fits_of(trial)]

    # What Lightning asks for ---------------------------------------------------------------------------------------

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer.torch_optimizer

    def train_dataloader(self) -> Batches:
        n = self.splits.train.n
        return Batches(self._order_KN, n, self._shared.trainer.batch_size or n)

    def val_dataloader(self) -> Slices:
        return Slices(self.splits.validation, evaluation_batch(self.network))

    def on_train_epoch_start(self) -> None:
        self._on_train.reset()
        self._began = time.monotonic()

    def losses(self, positions_KB: Tensor) -> tuple[Tensor, Tensor, Batch]:
        """Each fit's mean data loss over these examples, with the noise of the step that comes; its outputs; and the
        batch as the effects left it."""
        train = self.splits.train
        x_KBI, targets_KB = train.batch_KBI(positions_KB), train.y_N[positions_KB]
        weights_KB = None if train.w_N is None else train.w_N[positions_KB]
        batch = Batch(x_KBI, targets_KB, self.seeds, self.steps, weights_KB=weights_KB)
        self._bring_numbers(batch.steps)
        for effect in self._on:
            effect.on_batch(batch)
        self.network.key_noise(batch.seeds, batch.steps)
        outputs_KBO = predict(self.network, batch.x_KBI, self._shared.trainer.precision)
        loss_K = self.data_loss.mean_K(outputs_KBO, targets_KB, batch.smoothing_K, batch.mixing, batch.weights_KB)
        return loss_K, outputs_KBO, batch

    def training_step(self, positions_KB: Tensor, batch_idx: int) -> None:
        loss_K, outputs_KBO, batch = self.losses(positions_KB)
        self.rows.differentiate(loss_K)
        self.add_to_gradients_()
        optimizer = self.optimizers()  # Lightning's wrapper, which counts the steps
        assert not isinstance(optimizer, list)
        optimizer.step()
        for record in self.records:
            record.step += 1
        with torch.no_grad():
            self._on_train.add(outputs_KBO, batch.targets_KB, loss_K, mixing=batch.mixing, weights_KB=batch.weights_KB)
            for effect in self._on:
                effect.after_step()

    @torch.no_grad()
    def add_to_gradients_(self) -> None:
        """What the effects make of the gradients in the rows."""
        for effect in self._on:
            effect.on_gradients()

    @torch.no_grad()
    def penalties_K(self) -> Tensor:
        """What each fit's objective has beside its data loss."""
        total_K = torch.zeros_like(self.rows.values_KP[:, 0])
        for effect in self._on:
            values_K = effect.values_K()
            if values_K is not None:
                total_K += values_K
        return total_K

    def on_validation_epoch_start(self) -> None:
        for effect in self._on:
            effect.before_validation()
        self._on_validation.reset()

    def validation_step(self, piece: slice, batch_idx: int) -> None:
        x_KBI, targets_KB, weights_KB = examples_of(self.splits.validation, piece, len(self.configs))
        outputs_KBO = predict(self.network, x_KBI, self._shared.trainer.precision)
        loss_K = self.data_loss.mean_K(outputs_KBO, targets_KB, weights_KB=weights_KB)
        self._on_validation.add(outputs_KBO, targets_KB, loss_K, piece=piece, weights_KB=weights_KB)

    @torch.no_grad()
    def on_validation_epoch_end(self) -> None:
        """Close the epoch: a row of metrics for each fit that still trains, its weights kept where they are best."""
        train_MK, validation_MK = self._on_train.values_MK(), self._on_validation.values_MK()
        objective_K = train_MK[0] + self.penalties_K()
        training = [record for record in self.records if record.end is None]
        names = [f"train/{name}" for name in self._on_train.names] + ["train/objective"]
        names += [f"val/{name}" for name in self._on_validation.names]
        table = torch.cat([train_MK, objective_K.unsqueeze(0), validation_MK]).T.tolist()  # the one sync
        for k, (record, values) in enumerate(zip(self.records, table, strict=True)):
            if record.end is not None:
                continue
            row = {"epoch": float(record.epoch + 1), **dict(zip(names, values, strict=True))}
            row["gap"] = row["val/loss"] - row["train/loss"]
            if record.add(row, self._shared.metric) or not self._shared.trainer.restore_best:
                self.best_KS[k] = self.rows.state_KS[k]
            if record.end is None and record.epoch == self._shared.trainer.max_epochs:
                record.end = "max_epochs"
        for effect in reversed(self._on):
            effect.after_validation()
        if self._shared.trains_alone:  # what callbacks of Lightning's users look for in `trainer.callback_metrics`
            row = self.records[0].history[-1]
            self.log_dict({name: value for name, value in row.items() if name != "epoch"})
        for record in training:
            record.seconds += (time.monotonic() - self._began) / len(training)

    def on_validation_end(self) -> None:
        if all(record.end is not None for record in self.records):
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["records"] = [record.state() for record in self.records]
        checkpoint["effects"] = [effect.state() for effect in self.effects]
        checkpoint["trainings"] = [training_keys(config) for config in self.configs]
        checkpoint["device"] = self.rows.values_KP.device.type  # of which the optimizer's state has the form

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.records = [FitRecord(**state) for state in checkpoint["records"]]
        for effect, state in zip(self.effects, checkpoint["effects"], strict=True):
            effect.load_state(state)
        for config, record in zip(self.configs, self.records, strict=True):
            if record.end == "max_epochs" and record.epoch < config.trainer.max_epochs:
                record.end = None  # it was to be shorter then

    # What callbacks set ----------------------------------------------------------------------------------------------

    def set_epoch(self, lr_factors_K: Sequence[float], configs_K: Sequence[Config]) -> None:
        """For the epoch to come: what each fit's learning rate is multiplied by, and its configuration with the
        strengths and rates of the moment."""
        if list(configs_K) != self._loaded:
            self._loaded = list(configs_K)
            for effect in self.effects:
                effect.load(configs_K)
            self._on = [effect for effect in self.effects if any(effect.is_on(config) for config in configs_K)]
        self.optimizer.set([c.optimizer.lr * factor for c, factor in zip(self.configs, lr_factors_K, strict=True)])

    # What effects see (`regularizers.effect.Fits`) -------------------------------------------------------------------

    @property
    def seeds(self) -> list[int]:
        return [config.seed for config in self.configs]

    @property
    def steps(self) -> list[int]:
        return [record.step for record in self.records]

    def numbers_K(self, values: Sequence[float]) -> Tensor:
        like = self.rows.values_KP
        if like.device.type == "cpu":
            return torch.tensor(values, dtype=like.dtype)
        known = tuple(values)  # elsewhere a copy costs more: most numbers of an epoch are those of another one
        if known not in self._known_K:
            if len(self._known_K) >= KNOWN:
                self._known_K.clear()
            self._known_K[known] = torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)
        return self._known_K[known].clone()

    # Inside ----------------------------------------------------------------------------------------------------------

    def _bring_numbers(self, steps: list[int]) -> None:
        """What the step needs of each fit anew: of the effects, of the optimizer, of the noise."""
        needing: list[tuple[Needing, Sequence[Sequence[float]]]] = [(effect, effect.numbers()) for effect in self._on]
        if isinstance(self.optimizer, WholeOptimizer):
            needing.append((self.optimizer, self.optimizer.numbers(steps)))
        is_counted = self.rows.values_KP.device.type != "cpu"  # there the noise is made of the steps
        steps_K = self._step_numbers.bring(needing, steps if is_counted else None)
        if steps_K is not None:
            self.noise.set_clock(steps, steps_K)

    def _order_KN(self) -> Tensor:
        clocks = [(seed, record.epoch) for seed, record in zip(self.seeds, self.records, strict=True)]
        order_KN = self._orders.take(clocks, [self._coming(k) for k in range(len(clocks))])
        if self.splits.folds > 1:  # to each fit its own rows
            first_F1 = self.splits.train.n * torch.arange(self.splits.folds, device=order_KN.device).unsqueeze(1)
            order_KN += first_F1.repeat(self.n_trials, 1)
        return order_KN

    def _coming(self, k: int) -> tuple[int, int] | None:
        """Of the next epoch the fit's clock; None: it will have ended."""
        record, config = self.records[k], self.configs[k]
        if record.end is not None:  # until another fit takes its place it trains the same again
            return config.seed, record.epoch
        return None if record.epoch + 1 == config.trainer.max_epochs else (config.seed, record.epoch + 1)
