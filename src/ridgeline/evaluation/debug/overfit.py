"""Can the network learn a handful of examples by heart? If not, more examples will not help."""

from __future__ import annotations

from dataclasses import replace

import pytorch_lightning as pl

from ridgeline.config import AugmentationConfig, Config, RegularizationConfig
from ridgeline.evaluation.debug.checks import Finding, few_examples, full_batch
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.records import Row

EXAMPLES = 10
MOST_STEPS = 1000
NEAR_ENOUGH = 0.99
"""R2 at which numbers count as learned by heart."""


def overfit(config: Config) -> Finding:
    """The configured network, loss and optimizer without regularization, until no example is wrong; in regression until
    the R2 is 0.99."""
    trained = full_batch(config, MOST_STEPS)
    baseline = replace(trained, regularization=RegularizationConfig(dropout=0.0), augmentation=AugmentationConfig())
    splits = few_examples(config, EXAMPLES)
    (result,) = fit([baseline], splits, watchers=[UntilFitted()])
    n, last = len(splits.train.y_N), result.history[-1]
    passed = result.failure is None and _is_fitted(last)
    if "val/r2" in last:
        figure = f"After {result.epochs} steps the R2 of {n} examples is {last['val/r2']:.4f}; {NEAR_ENOUGH} is enough"
    else:
        figure = f"After {result.epochs} steps {round(last['val/error'] * n)} of {n} examples are wrong"
        figure += "" if passed else f", error {last['val/error']:.2f}"
    figure += f", loss {last['val/loss']:.4g}; at most {MOST_STEPS} steps, regularization off, float64."
    if result.failure is not None:
        figure += f"\nIt diverged: {result.failure}; try a smaller optimizer.lr."
    return Finding("overfit", passed, figure)


class UntilFitted(pl.Callback):
    """Ends a fit when it has learned its validation split, which it trains on, by heart."""

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for record in stack.records:
            if record.end is None and _is_fitted(record.history[-1]):
                record.end = "fitted"


def _is_fitted(row: Row) -> bool:
    return row["val/r2"] >= NEAR_ENOUGH if "val/r2" in row else row["val/error"] == 0
