"""The results of trials that have ended, measured at the weights that are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ridgeline.stack.evaluation import measures_on_train
from ridgeline.stack.folds import as_one
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitResult
from ridgeline.stack.sparsity import weight_figures


def collect(stack: Stack, trials: Iterable[int]) -> list[FitResult]:
    """The results of the trials in these places, in this order. The stack stays as it is.

    It is where it trained, which it is not any more once Lightning's Trainer has ended: see `Collecting`.
    """
    slots = [k for trial in trials for k in stack.fits_of(trial)]
    rows_KS = torch.stack([stack.best_KS[k] for k in slots])
    on_train = measures_on_train(stack.configs[slots[0]], rows_KS, stack.splits)
    on_host_KS = rows_KS.cpu()  # the one copy
    fits = [_result(stack, *each) for each in zip(slots, on_host_KS, on_train, strict=True)]
    folds = stack.splits.folds
    return [as_one(fits[start : start + folds]) for start in range(0, len(fits), folds)]


def _result(stack: Stack, k: int, row_S: Tensor, on_train: Mapping[str, float]) -> FitResult:
    config, record = stack.configs[k], stack.records[k]
    kept = record.best_epoch if config.trainer.restore_best else len(record.history)
    weights = stack.network.unpack(row_S)
    metrics: dict[str, float] = {}
    value = math.nan
    if record.failure is None:
        at = record.history[kept - 1]
        value = at[config.metric]
        metrics = {
            **{f"final/train_{name}": value for name, value in on_train.items()},
            **{f"final/val_{name}": at[f"val/{name}"] for name in ("loss", *config.measured("val"))},
            "final/gap": at["val/loss"] - on_train["loss"],
            **weight_figures(stack.network, row_S),
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
