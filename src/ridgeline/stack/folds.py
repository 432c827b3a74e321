"""The fits of a trial, a fold each, as one: its curve, its result, and that it ends with the first fold that fails."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import pytorch_lightning as pl

from ridgeline.stack.module import Stack
from ridgeline.stack.records import FOLD, FitRecord, FitResult, Row


class FailingTogether(pl.Callback):
    """Ends the other folds of a trial where one has failed: their mean is of no use."""

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for trial in range(stack.n_trials):
            records = stack.records_of(trial)
            if any(record.failure for record in records):
                for record in records:
                    record.end = record.end or "another_fold_failed"


def epochs_of(records: Sequence[FitRecord] | Sequence[FitResult]) -> int:
    """After how many epochs the longest fold ended, or where it is."""
    return max(len(record.history) for record in records)


def mean_row(records: Sequence[FitRecord] | Sequence[FitResult], epoch: int) -> Row:
    """The row in this place, the mean over the folds; one that has stopped before counts with its last."""
    rows = [record.history[min(epoch, len(record.history) - 1)] for record in records]
    if len(rows) == 1:
        return rows[0]
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} | {"epoch": float(epoch + 1)}


def as_one(results: Sequence[FitResult]) -> FitResult:
    """The result of a trial: the mean over its folds, each at its own restored epoch, with its standard error.

    `best_epoch` is the median. A trial of which a fold failed has failed, with that reason.
    """
    if len(results) == 1:
        return results[0]
    longest = max(results, key=lambda result: result.epochs)
    failures = [f"in fold {f}, {result.failure}" for f, result in enumerate(results) if result.failure]
    metrics: dict[str, float] = {}
    if not failures:
        metrics = {name: statistics.fmean(r.metrics[name] for r in results) for name in results[0].metrics}
        deviation = statistics.stdev(result.value for result in results)
        metrics["final/metric_se"] = deviation / math.sqrt(len(results))
        for f, result in enumerate(results):
            final = {name.removeprefix("final/"): value for name, value in result.metrics.items()}
            own = {name: value for name, value in final.items() if name.startswith(("train_", "val_"))}
            metrics |= {f"fold/{f}/{name}": value for name, value in own.items()}
            metrics[f"fold/{f}/best_epoch"] = float(result.best_epoch)
    return FitResult(
        config=results[0].config,
        value=math.nan if failures else statistics.fmean(result.value for result in results),
        best_epoch=statistics.median_low(result.best_epoch for result in results),
        end="diverged" if failures else longest.end,
        failure=failures[0] if failures else None,
        history=[mean_row(results, epoch) for epoch in range(longest.epochs)],
        metrics=metrics,
        weights={f"{FOLD}{f}/{name}": w for f, result in enumerate(results) for name, w in result.weights.items()},
        seconds=sum(result.seconds for result in results),
    )
