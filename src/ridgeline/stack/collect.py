"""The results of trials that have ended, measured at the weights that are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ridgeline.stack.evaluation import train_loss_and_error_2K
from ridgeline.stack.folds import as_one
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitResult
from ridgeline.stack.sparsity import weight_figures


def collect(stack: Stack, trials: Iterable[int]) -> list[FitResult]:
    """The results of the trials in these places, in this order. The stack stays as it is."""
    slots = [k for trial in trials for k in stack.fits_of(trial)]
    rows_KP = [stack.best_KP[k] for k in slots]
    train_2K = train_loss_and_error_2K(stack.configs[slots[0]], rows_KP, stack.splits).tolist()
    fits = [_result(stack, k, loss, error) for k, loss, error in zip(slots, *train_2K, strict=True)]
    folds = stack.splits.folds
    return [as_one(fits[start : start + folds]) for start in range(0, len(fits), folds)]


def _result(stack: Stack, k: int, train_loss: float, train_error: float) -> FitResult:
    config, record = stack.configs[k], stack.records[k]
    kept = record.best_epoch if config.trainer.restore_best else len(record.history)
    weights = stack.rows.unpack(stack.best_KP[k])
    metrics: dict[str, float] = {}
    value = math.nan
    if record.failure is None:
        at = record.history[kept - 1]
        value = at[config.metric]
        metrics = {
            "final/train_loss": train_loss,
            "final/train_error": train_error,
            "final/val_loss": at["val/loss"],
            "final/val_error": at["val/error"],
            "final/gap": at["val/loss"] - train_loss,
            **weight_figures(weights),
        }
    return FitResult(
        config=config,
        value=value,
        best_epoch=kept,
        end=record.end or "max_epochs",
        failure=record.failure,
        history=record.history,
        metrics=metrics,
        weights=weights,
        seconds=record.seconds,
    )
