"""(a) as a whole study: the script that a user of Optuna, Lightning and MLflow writes. One process, trial by trial.

The space, the data, the network and early stopping of `make sweep`. Where habits differ it gets the cheaper one: a
journal file instead of a database for Optuna, no checkpoints (the value is early stopping's best), no progress bars.

    python -m rivals.script --folder FOLDER
"""

from __future__ import annotations

import argparse
import logging
import warnings
from functools import partial
from pathlib import Path

import optuna
import pytorch_lightning as pl
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import MLFlowLogger
from torch.utils.data import DataLoader, TensorDataset

from ridgeline.data import Splits, load_splits
from rivals.files import EXPERIMENT, make_store, store_uri
from rivals.network import build_network
from rivals.usual import Module
from rivals.workloads import BATCH, EVALUATION_BATCH, WORKLOADS

PATIENCE = 10
DIGITS = next(workload for workload in WORKLOADS if workload.name == "digits")


def train(trial: optuna.Trial, splits: Splits, folder: Path, epochs: int, seed: int = 0) -> float:
    """The best validation loss of an ordinary Trainer."""
    l2 = trial.suggest_float("regularization.l2", 1e-6, 1e-1, log=True)
    dropout = trial.suggest_float("regularization.dropout", 0.0, 0.7)
    torch.manual_seed(seed)  # as the sweep, whose trials differ in what is searched alone
    logger = MLFlowLogger(EXPERIMENT, run_name=f"trial {trial.number}", tracking_uri=store_uri(folder))
    logger.log_hyperparams(trial.params)
    stopping = EarlyStopping("val/loss", patience=PATIENCE)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        logger=logger,
        callbacks=[stopping],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    splits = (TensorDataset(split.x_NI, split.y_N) for split in (splits.train, splits.validation))
    batches, evaluation = (
        DataLoader(split, batch_size=size, shuffle=size == BATCH)
        for split, size in zip(splits, (BATCH, EVALUATION_BATCH), strict=True)
    )
    trainer.fit(Module(build_network(DIGITS.sizes, dropout), "optimizer", l2), batches, evaluation)
    trial.set_user_attr("outcome", {"epochs": trainer.current_epoch})  # where ours has it
    return float(stopping.best_score)


def stop_at(target: float, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """A callback for a study that has done enough."""
    if trial.value is not None and trial.value <= target:
        study.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--n-trials", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the fits and of the sampler")
    parser.add_argument("--target", type=float, help="end with the first trial whose loss is not above it")
    args = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")  # advice to start worker processes, which slow tensors down
    folder = args.folder.absolute()
    make_store(folder)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
        sampler=optuna.samplers.TPESampler(n_startup_trials=16, seed=args.seed),
        study_name="script",
    )
    splits = load_splits(DIGITS.config(root=None).data)
    enough = [] if args.target is None else [partial(stop_at, args.target)]
    study.optimize(
        lambda trial: train(trial, splits, folder, args.epochs, args.seed), n_trials=args.n_trials, callbacks=enough
    )
    print(f"best of {len(study.trials)}: {study.best_value:.4f} with {study.best_params}")


if __name__ == "__main__":
    main()
