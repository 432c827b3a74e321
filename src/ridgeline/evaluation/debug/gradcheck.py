"""Are the gradients right? What the engine steps along, against two-sided differences of J.

P parameters of a fit, B examples, O outputs of a layer, C classes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from ridgeline.config import Config, OptimizerConfig
from ridgeline.evaluation.debug.checks import Finding, few_examples, full_batch
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack

EXAMPLES = 10
PLACES = 25
"""Parameters of each tensor that are moved; all of a smaller one."""
EPS = 1e-5
BAR = 1e-7


def gradcheck(config: Config) -> Finding:
    """One real step of gradient descent with rate 1 moves the weights by the gradient, penalties and masks included.

    Before it, J of the same step is measured with one parameter moved by +-1e-5, for a sample of each tensor's.
    What is no part of J (such as `max_norm`) is off, and what has a kink (such as `l1`) is in its subgradient form.
    """
    step = full_batch(config, 1)
    step = replace(step, regularization=step.regularization.as_gradient(), optimizer=OptimizerConfig("sgd", lr=1.0))
    moves = Moves(config.seed)
    fit([step], few_examples(config, EXAMPLES), watchers=[moves])
    return moves.finding()


class Moves(pl.Callback):
    """The differences of J before the step, and the gradient that it takes."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._at_kinks = 0
        self._names: list[str] = []
        self._places: list[int] = []
        self._numeric: list[float] = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, stack: pl.LightningModule, positions_KB: Tensor, batch_idx: int
    ) -> None:
        assert isinstance(stack, Stack)
        with torch.no_grad():
            row_P, n_weights = stack.rows.values_KP[0], stack.rows.n_weights
            # Biases of exactly 0 would put units that get nothing onto the kink of relu.
            row_P[n_weights:] += torch.from_numpy(self._rng.normal(0, 0.1, len(row_P) - n_weights))
            for name, places in stack.rows.places.items():
                if places.stop > len(row_P):  # running statistics, which no gradient moves
                    continue
                size = places.stop - places.start
                for place in self._rng.choice(size, min(PLACES, size), replace=False):
                    self._measure(stack, positions_KB, name, places.start + int(place))
            self._before_P = row_P.clone()

    def on_train_batch_end(
        self, trainer: pl.Trainer, stack: pl.LightningModule, outputs: Any, positions_KB: Tensor, batch_idx: int
    ) -> None:
        assert isinstance(stack, Stack)
        self._gradient_P = self._before_P - stack.rows.values_KP[0]

    def finding(self) -> Finding:
        if self._at_kinks > len(self._places):
            of = self._at_kinks + len(self._places)
            figure = f"At {self._at_kinks} of {of} parameters J has a kink: masks are not kept, or units sit at 0."
            return Finding("gradcheck", False, figure)
        exact = self._gradient_P[self._places].numpy()
        numeric = np.array(self._numeric)
        size = np.linalg.norm(exact) + np.linalg.norm(numeric)
        difference = float(np.linalg.norm(exact - numeric) / size) if size > 0 else math.nan
        passed = difference < BAR
        kinks = f", {self._at_kinks} more lie at a kink" if self._at_kinks else ""
        figure = (
            f"The gradient differs by {difference:.1e} from differences of J, relatively; the bar is {BAR:g}.\n"
            f"{len(self._places)} parameters moved by +-{EPS:g}{kinks}; {EXAMPLES} examples, float64, masks kept."
        )
        if not passed:
            worst = int(np.argmax(np.nan_to_num(np.abs(exact - numeric), nan=math.inf)))
            name, ours, theirs = self._names[worst], exact[worst], numeric[worst]
            figure += f"\nWorst is {name}: the gradient has {ours:.6g} where J's difference has {theirs:.6g}."
        return Finding("gradcheck", passed, figure)

    def _measure(self, stack: Stack, positions_KB: Tensor, name: str, place: int) -> None:
        row_P = stack.rows.values_KP[0]
        before = row_P[place].item()
        row_P[place] = before + EPS
        above, sides_above = _objective(stack, positions_KB)
        row_P[place] = before - EPS
        below, sides_below = _objective(stack, positions_KB)
        row_P[place] = before
        if torch.equal(sides_above, sides_below):
            self._names.append(name)
            self._places.append(place)
            self._numeric.append((above - below) / (2 * EPS))
        else:  # a difference across a kink says nothing about the slope on either side
            self._at_kinks += 1


def _objective(stack: Stack, positions_KB: Tensor) -> tuple[float, Tensor]:
    """J of the step that comes, and on which side of each kink of relu and the loss it is."""
    shared = stack.configs[0]
    sides = []
    names = [name for name, (_, kind) in stack.network.survey.activations.items() if kind == "relu"]
    with stack.network.outputs_of(names) as hidden:
        loss_K, outputs_KBO, batch = stack.losses(positions_KB)
    sides += [(a_BO > 0).flatten() for (a_BO,) in hidden.values()]
    for each_KB in [batch.targets_KB] if batch.mixing is None else [batch.targets_KB, batch.mixing.targets_KB]:
        kinks = shared.loss.kinks(outputs_KBO, each_KB)
        sides += [] if kinks is None else [kinks.flatten()]
    return (loss_K + stack.penalties_K()).item(), torch.cat([*sides, torch.empty(0, dtype=torch.bool)])
