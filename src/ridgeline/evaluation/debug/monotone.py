"""Does J fall at every step? With dropout and noise off it must under full-batch gradient descent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ridgeline.config import Config
from ridgeline.evaluation.debug.checks import Finding, few_examples, full_batch
from ridgeline.stack.fitting import fit
from ridgeline.stack.recording import Objectives

EXAMPLES = 100
STEPS = 30
ROUNDING = 1e-12
"""By how much of itself J may rise: what float64 adds."""


def monotone(config: Config) -> Finding:
    """The configured optimizer and learning rate without momentum, which may climb on its way down.

    With dropout, input noise, mixup or augmentation configured, a second fit trains beside the first with them on; how
    often its J rises is told and decides nothing.
    """
    optimizer = replace(config.optimizer, momentum=0.0, nesterov=False)
    on = replace(full_batch(config, STEPS), optimizer=optimizer)
    off = replace(
        on, regularization=config.regularization.without_noise(), augmentation=config.augmentation.without_noise()
    )
    objectives, splits = Objectives(), few_examples(config, EXAMPLES)
    groups = ((on.regularization, off.regularization), (on.augmentation, off.augmentation))
    is_noisy = any(each.strengths_on() != quiet.strengths_on() for each, quiet in groups)
    own_dropout = config.network.n_hidden is None and config.regularization.dropout is None  # by the network's author
    fits = [off, on] if is_noisy or own_dropout else [off]
    result, *_ = fit(fits, splits, watchers=[objectives])
    quiet, *noisy = objectives.values
    passed = not _rises(quiet) and result.failure is None
    figure = f"With dropout and noise off {_told(quiet)}\n"
    figure += f"Measured before each of {STEPS} steps; the full batch, {len(splits.train.y_N)} examples; float64."
    if result.failure is not None:
        figure += f" It diverged: {result.failure}."
    if not passed:
        figure += " A smaller optimizer.lr cures it, or else a gradient is wrong: see debug=gradcheck."
    for values in noisy:
        figure += f"\nWith them on {_told(values)} This decides nothing: noise alone can raise it."
    return Finding("monotone", passed, figure)


def _rises(values: Sequence[float]) -> list[int]:
    """The steps, from 1, after which J is larger, or no number."""
    return [
        step
        for step, (before, after) in enumerate(pairwise(values), start=1)
        if not after <= before + ROUNDING * abs(before)
    ]


def _told(values: Sequence[float]) -> str:
    rises = _rises(values)
    span = f"from {values[0]:.4g} to {values[-1]:.4g}"
    if not rises:
        return f"J falls at every step, {span}."
    first = rises[0]
    finite = [value for value in values if math.isfinite(value)]
    by = f"from {values[first - 1]:.4g} to {values[first]:.4g}"
    largest = f", its largest value is {max(finite):.4g}" if finite else ""
    return f"J rises at {len(rises)} of {len(values) - 1} steps, first at step {first} {by}; it goes {span}{largest}."
