"""The U curve of the error against lambda. S seeds, N examples."""

from __future__ import annotations

from functools import partial

import numpy as np

from ridgeline import Estimate, estimate, interval
from ridgeline_recipes.claims.claim import Claim, percent, points
from ridgeline_recipes.claims.lab import FEW_POINTS, OVERFITTING, Group, Lab, cut_train
from ridgeline_recipes.claims.sweeps import SHARE, SIZE, Panel, sweep_figure
from ridgeline_recipes.rules import both, helps

COUNT = 100
STRENGTHS = tuple(10 ** (n / 2) for n in range(-10, 1))


def u_curve(lab: Lab) -> Claim:
    variants = [(), *([f"regularization.l2={s}"] for s in STRENGTHS)]
    baseline, *groups = lab.train(FEW_POINTS, variants, partial(cut_train, count=COUNT))
    of_digits, *digits = lab.train(OVERFITTING, variants)
    best = _best(groups)
    over_digits = _gain(_best(digits), of_digits)
    over_baseline, over_last = _gain(best, baseline), _gain(best, groups[-1])
    strength = best.config.regularization.l2
    of_validation = {"validation": [group.error for group in groups]}
    of_train = {"train": [group.mean_of("train_error") for group in groups]}
    losses = {
        "validation": [group.loss for group in groups],
        "train": [group.mean_of("train_loss") for group in groups],
    }
    panels = [
        Panel(
            "l2",
            "error, %",
            STRENGTHS,
            {**of_validation, **of_train},
            {"baseline, validation": baseline.error},
            {"lowest": strength},
            scale=100,
            bounds=SHARE,
        ),
        Panel(
            "l2",
            "loss",
            STRENGTHS,
            losses,
            {"baseline, validation": baseline.loss},
            {"lowest error": strength},
            bounds=SIZE,
            log_y=True,
        ),
    ]
    return Claim(
        name="u_curve",
        sentence="The error against lambda is a U: too little overfits, too much underfits",
        holds_if="the lambda that is best on one half of the validation examples has less error on the other half "
        "than no penalty, and than the largest lambda",
        verdict=both(helps(over_baseline), helps(over_last)),
        measured=f"Best is l2={strength:.2g}: {points(over_baseline)} less error than without, {points(over_last)} "
        f"less than with l2={STRENGTHS[-1]:.2g}. Over all validation examples: {percent(best.error)} at the best, "
        f"{percent(baseline.error)} without, {percent(groups[-1].error)} at the largest. On digits, "
        f"359 to train on, the best gains {points(over_digits)}: {helps(over_digits)}.",
        setting=f"{COUNT} points of two moons with noise 0.3, 1,200 to validate with, 2-100-100-2 with ReLU, Adam on "
        "all points, 600 epochs; taken after two seeds on digits, 359 to train on, had shown no gain",
        pictures={
            "u_curve": (sweep_figure(panels, f"Two moons, {COUNT} points: too little and too much"), "By lambda")
        },
        numbers={
            "l2": list(STRENGTHS),
            "val_error": [interval(group.error) for group in groups],
            "train_error": [interval(group.mean_of("train_error")) for group in groups],
            "baseline": {
                "val_error": interval(baseline.error),
                "train_error": interval(baseline.mean_of("train_error")),
            },
        },
    )


def _best(groups: list[Group]) -> Group:
    """The group with the lowest error on one half of the examples."""
    return min(groups, key=lambda group: float(group.validation.errors_SN[:, ::2].mean()))


def _gain(group: Group, other: Group) -> Estimate:
    """How much less error, on the half of the examples that the best was not chosen by."""
    own_SN, other_SN = (one.validation.errors_SN[:, 1::2] for one in (group, other))
    difference_SN: np.ndarray = other_SN - own_SN
    return estimate(difference_SN)
