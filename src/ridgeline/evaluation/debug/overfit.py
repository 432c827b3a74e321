"""Can the network learn a handful of examples by heart? If not, more examples will not help."""

from __future__ import annotations

from dataclasses import replace

import pytorch_lightning as pl

from ridgeline.config import AugmentationConfig, Config, RegularizationConfig
from ridgeline.evaluation.debug.checks import Finding, few_examples, full_batch
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack

EXAMPLES = 10
MOST_STEPS = 1000


def overfit(config: Config) -> Finding:
    """The configured network, loss and optimizer without regularization, until no example is wrong."""
    trained = full_batch(config, MOST_STEPS)
    baseline = replace(trained, regularization=RegularizationConfig(), augmentation=AugmentationConfig())
    splits = few_examples(config, EXAMPLES)
    (result,) = fit([baseline], splits, watchers=[UntilFitted()])
    n, last = len(splits.train.y_N), result.history[-1]
    wrong = round(last["val/error"] * n)
    passed = result.failure is None and wrong == 0
    figure = f"After {result.epochs} steps {wrong} of {n} examples are wrong"
    if not passed:
        figure += f", error {last['val/error']:.2f}"
    figure += f", loss {last['val/loss']:.4g}; at most {MOST_STEPS} steps, regularization off, float64."
    if result.failure is not None:
        figure += f"\nIt diverged: {result.failure}; try a smaller optimizer.lr."
    return Finding("overfit", passed, figure)


class UntilFitted(pl.Callback):
    """Ends a fit when no example of its validation split, which it trains on, is wrong."""

    def on_validation_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        assert isinstance(stack, Stack)
        for record in stack.records:
            if record.end is None and record.history[-1]["val/error"] == 0:
                record.end = "fitted"
