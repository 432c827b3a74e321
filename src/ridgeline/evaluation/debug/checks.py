"""What the checks share: the few examples and the full batch that they train with, and what each of them finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ridgeline.config import CallbacksConfig, Config, LRScheduleConfig
from ridgeline.data import Split, Splits, load_splits


@dataclass(frozen=True)
class Finding:
    """`figure`: what was measured, in a sentence or a few lines."""

    check: str
    passed: bool
    figure: str

    def __str__(self) -> str:
        return f"{self.check}: {'pass' if self.passed else 'FAIL'}. {self.figure}"


def few_examples(config: Config, n: int) -> Splits:
    """So many of the train split, the classes in turn or in regression the first, in float64 on the CPU; they are the
    validation split too."""
    splits = load_splits(replace(config.data, folds=None))
    y_N = splits.train.y_N
    if splits.task == "regression":
        chosen_N = torch.arange(min(n, len(y_N)))
    else:
        rank_N = F.one_hot(y_N).cumsum(0).gather(1, y_N.unsqueeze(1)).squeeze(1)  # of each within its class
        chosen_N = torch.argsort(rank_N, stable=True)[:n]
    few = Split(splits.train.features_MI(chosen_N), y_N[chosen_N]).double()
    return replace(splits, train=few, validation=few)


def full_batch(config: Config, max_epochs: int) -> Config:
    """One step an epoch; no schedule, no callback, nothing restored."""
    trainer = replace(
        config.trainer,
        max_epochs=max_epochs,
        batch_size=None,
        accelerator="cpu",
        precision="32-true",
        restore_best=False,
        ckpt_path=None,
        enable_progress_bar=False,
    )
    return replace(config, trainer=trainer, callbacks=CallbacksConfig(), lr_schedule=LRScheduleConfig())
