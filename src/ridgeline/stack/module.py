"""The one engine: a LightningModule that trains K fits, which differ in knobs only, as one model.

A fit alone is a stack of one. Nothing here runs across fits: losses are summed, gradients, norms, masks, orders and
clocks are a fit's own.
K fits, B batch, I inputs, C classes, N examples.

With folds a trial is as many fits: fold f of trial t is fit t * folds + f. They begin together, and each trains and
validates on its own rows of the same tensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from ridgeline.config import Config, ConfigError
from ridgeline.config.batchable import structure
from ridgeline.config.deciding import training_keys
from ridgeline.data import Splits
from ridgeline.networks.stacking.noise import KeyedNoise
from ridgeline.regularizers import Batch, Effect, all_effects
from ridgeline.regularizers.penalized import n_penalized
from ridgeline.stack.batches import Batches, Slices
from ridgeline.stack.evaluation import Measures, data_loss_of, evaluation_batch, examples_of
from ridgeline.stack.graphs import Outputs, digest_of, graphs_on
from ridgeline.stack.networks import EXAMPLES, shape_of, stacked_network
from ridgeline.stack.optimizers import optimizer_for
from ridgeline.stack.orders import Orders
from ridgeline.stack.precision import predict
from ridgeline.stack.records import FitRecord
from ridgeline.stack.step_numbers import KnownNumbers, Needing, StepNumbers
from ridgeline.stack.whole_optimizer import WholeOptimizer


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
        self.optimizer = optimizer_for(configs[0].optimizer, self.rows, self.n_penalized)
        self._step_numbers = StepNumbers(self.rows.values_KP)
        self._known_numbers = KnownNumbers(self.rows.values_KP)
        self.noise = KeyedNoise(device)
        self._orders = Orders(device, splits.train.n, splits.folds)
        own_effects = [target.build() for _, target in configs[0].regularization.own]
        self.effects: list[Effect] = sorted([*all_effects(), *own_effects], key=lambda effect: effect.order)
        self._on: list[Effect] = []
        self._loaded: list[Config] = []
        self._structure = ""
        self._is_stepped = False  # the step that runs is done, and no record counts it yet
        self.graphs = graphs_on(device, configs[0], self.network)
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
        return Batches(lambda: self._orders.of(self.configs, self.records), n, self._shared.trainer.batch_size or n)

    def val_dataloader(self) -> Slices:
        return Slices(self.splits.validation, evaluation_batch(self.network))

    def on_train_epoch_start(self) -> None:
        self._on_train.reset()
        self._began = time.monotonic()

    def losses(self, positions_KB: Tensor) -> tuple[Tensor, Tensor, Batch]:
        """Each fit's mean data loss over these examples, with the noise of the step that comes; its outputs; and the
        batch as the effects left it."""
        self._prepare()
        return self._losses(positions_KB)

    def training_step(self, positions_KB: Tensor, batch_idx: int) -> None:
        self._prepare()
        optimizer = self.optimizers()  # Lightning's wrapper, which counts the steps
        assert not isinstance(optimizer, list)
        if self.graphs is None or not isinstance(self.optimizer, WholeOptimizer):
            outputs = self._step(optimizer.step, positions_KB)
        else:
            step = partial(self._step, self.optimizer.step_)
            changed, read = self._lasting(self.optimizer)
            outputs = optimizer.step(partial(self.graphs.step, step, positions_KB, self._structure, changed, read))
        if outputs:
            self._on_train.keep(*outputs)
        self._is_stepped = False
        for record in self.records:
            record.step += 1

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
            if self.graphs is not None:
                on = tuple(tuple(effect.structure(config) for config in configs_K) for effect in self.effects)
                self._structure = digest_of((on, self.network.n_made))
        self.optimizer.set([c.optimizer.lr * factor for c, factor in zip(self.configs, lr_factors_K, strict=True)])

    # What effects see (`regularizers.effect.Fits`) -------------------------------------------------------------------

    @property
    def seeds(self) -> list[int]:
        return [config.seed for config in self.configs]

    @property
    def steps(self) -> list[int]:
        return [record.step + self._is_stepped for record in self.records]

    def numbers_K(self, values: Sequence[float]) -> Tensor:
        return self._known_numbers.on_device(values)

    # Inside ----------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Bring what the step needs of each fit anew: of the effects, of the optimizer, of the noise. What follows is
        the device's, and the same in each step of this structure."""
        steps, is_counted = self.steps, self.noise.is_counted
        needing: list[tuple[Needing, Sequence[Sequence[float]]]] = [(effect, effect.numbers()) for effect in self._on]
        if isinstance(self.optimizer, WholeOptimizer):
            needing.append((self.optimizer, self.optimizer.numbers(steps)))
        self._step_numbers.bring(needing, steps if is_counted else None)
        if is_counted:
            self.noise.set_seeds(self.seeds)
        self.network.key_noise(self.seeds, steps)

    def _losses(self, positions_KB: Tensor) -> tuple[Tensor, Tensor, Batch]:
        self._step_numbers.give()
        if self.noise.is_counted:
            self.noise.set_clock(self.steps, self._step_numbers.steps_K())
        train = self.splits.train
        x_KBI, targets_KB = train.batch_KBI(positions_KB), train.y_N[positions_KB]
        weights_KB = None if train.w_N is None else train.w_N[positions_KB]
        batch = Batch(x_KBI, targets_KB, self.seeds, self.steps, weights_KB=weights_KB)
        for effect in self._on:
            effect.on_batch(batch)
        outputs_KBO = predict(self.network, batch.x_KBI, self._shared.trainer.precision)
        loss_K = self.data_loss.mean_K(outputs_KBO, targets_KB, batch.smoothing_K, batch.mixing, batch.weights_KB)
        return loss_K, outputs_KBO, batch

    def _step(self, optimize: Callable[[], Any], positions_KB: Tensor) -> Outputs:
        """All that is captured of a step. Its outputs are for figures that are made of a whole split."""
        self._is_stepped = False
        loss_K, outputs_KBO, batch = self._losses(positions_KB)
        self.rows.differentiate(loss_K)
        self.add_to_gradients_()
        optimize()
        self._is_stepped = True
        targets_KB, weights_KB = batch.targets_KB, batch.weights_KB
        with torch.no_grad():
            self._on_train.sum_up(outputs_KBO, targets_KB, loss_K, mixing=batch.mixing, weights_KB=weights_KB)
            for effect in self._on:
                effect.after_step()
        if not self._on_train.keeps:
            return ()
        return outputs_KBO.detach(), targets_KB, *([] if weights_KB is None else [weights_KB])

    def _lasting(self, optimizer: WholeOptimizer) -> tuple[list[Tensor], list[Tensor]]:
        """What outlives a step: what it changes, and what else may lie elsewhere some day."""
        of_effects = [each for effect in self.effects for each in effect.state().values() if each is not None]
        changed = [self.rows.state_KS, *optimizer.moments, self._on_train.sums_MK, *of_effects]
        kept = [each for effect in self.effects for each in effect.all_kept]
        return changed, [self._step_numbers.table_RK, *self.noise.keys, *kept]
