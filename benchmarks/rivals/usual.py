"""(a) The usual way: a Lightning Trainer a trial, a DataLoader over a TensorDataset, self.log, MLFlowLogger.

Where habits differ it gets the cheaper one: no progress bar, no checkpoints, no sanity check, no torchmetrics, metrics
logged once an epoch, large evaluation batches, no worker processes for tensors.
"""

from __future__ import annotations

import logging
import os
import warnings

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before mlflow is imported

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.loggers import MLFlowLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from rivals.crew import Clock, Done, Slice, Task
from rivals.files import EXPERIMENT, read_splits, store_uri
from rivals.network import network_of, penalty
from rivals.workloads import BATCH, EVALUATION_BATCH, L2, LR


class Module(pl.LightningModule):
    """Automatic optimization, as in Lightning's own examples."""

    def __init__(self, network: nn.Module, l2_in: str, l2: float = L2) -> None:
        super().__init__()
        self.network = network
        self._l2_in, self._l2 = l2_in, l2

    def forward(self, x_BI: Tensor) -> Tensor:
        return self.network(x_BI)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self._measure(batch, "train")
        return loss + penalty(self.network, self._l2) if self._l2_in == "loss" else loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._measure(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=LR, weight_decay=0.0 if self._l2_in == "loss" else self._l2)

    def _measure(self, batch: tuple[Tensor, Tensor], split: str) -> Tensor:
        x_BI, y_B = batch
        logits_BC = self(x_BI)
        loss = F.cross_entropy(logits_BC, y_B)
        error = (logits_BC.argmax(dim=1) != y_B).float().mean()
        self.log(f"{split}/loss", loss, on_step=False, on_epoch=True)
        self.log(f"{split}/error", error, on_step=False, on_epoch=True)
        return loss


class Timing(pl.Callback):
    """Starts the clock after the first epoch, validation included, and stops it after the last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0:
            self._clock.start()
        elif trainer.current_epoch + 1 == trainer.max_epochs:
            self._clock.stop()


def prepare(task: Task) -> Slice:
    splits = read_splits(task.workload, task.folder)
    train = TensorDataset(splits.train.x_NI, splits.train.y_N)
    validation = TensorDataset(splits.validation.x_NI, splits.validation.y_N)
    return slice_of(task, train, validation)


def slice_of(task: Task, train: Dataset, validation: Dataset) -> Slice:
    """Trains on any pair of datasets; a trial a slice, a run in the store a trial."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")  # advice to start worker processes, which slow tensors down
    workload = task.workload

    def run(seed: int, clock: Clock) -> Done:
        torch.manual_seed(1000 * seed + task.index)
        trainer = pl.Trainer(
            max_epochs=workload.epochs,
            accelerator="gpu" if task.device == "cuda" else "cpu",
            devices=1,
            logger=MLFlowLogger(EXPERIMENT, tracking_uri=store_uri(task.folder)),
            callbacks=[Timing(clock)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=task.folder,
        )
        batches = DataLoader(train, batch_size=BATCH, shuffle=True)
        module = Module(network_of(workload), task.options["l2_in"])
        trainer.fit(module, batches, DataLoader(validation, batch_size=EVALUATION_BATCH))
        return Done((workload.epochs - 1) * len(batches), float(trainer.callback_metrics["val/loss"]))

    return run
