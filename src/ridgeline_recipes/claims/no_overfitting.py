"""Regularization does not help where nothing overfits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ridgeline import Estimate, estimate, interval, over_seeds
from ridgeline_recipes.claims.claim import Claim, number, points
from ridgeline_recipes.claims.lab import Group, Lab, cut_train
from ridgeline_recipes.claims.sweeps import Panel, sweep_figure
from ridgeline_recipes.rules import FAILS, HOLDS, OPEN

BASE = ("data=moons", "data.examples=20000", "network.hidden=[20]", "optimizer.lr=0.01", "trainer.batch_size=32")
FEW, MANY = 64, 3600
STEPS, BATCH = 3600, 32
STRENGTHS = tuple(10 ** (n / 2) for n in range(-8, -1))
RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
NOTHING = 0.002
"""A gain in error below this is not worth having."""


@dataclass(frozen=True)
class Gains:
    """What each setting gains over the baseline, in validation error, with `count` examples to train on.

    `gap`: of the baseline, validation loss less train loss. `best`: the gain of the setting that is best on one
    half of the validation examples, on the other half.
    """

    count: int
    gap: Estimate
    best: Estimate
    by_strength: Sequence[Estimate]
    by_rate: Sequence[Estimate]


def no_overfitting(lab: Lab) -> Claim:
    few, many = _measure(lab, FEW), _measure(lab, MANY)
    label = "gain in validation error, points of %"
    by_strength, by_rate = (
        {f"{g.count:,} points": getattr(g, of) for g in (few, many)} for of in ("by_strength", "by_rate")
    )
    panels = [
        Panel("l2", label, STRENGTHS, by_strength, scale=100),
        Panel("dropout rate", label, RATES, by_rate, log_x=False, scale=100),
    ]
    return Claim(
        name="no_overfitting",
        sentence="Regularization does not help where nothing overfits",
        holds_if=f"on {MANY:,} points the best of all strengths and rates, chosen on one half of the validation "
        f"points, gains less than {100 * NOTHING:g} points on the other half, by its whole interval",
        verdict=HOLDS if many.best.high < NOTHING else FAILS if many.best.low >= NOTHING else OPEN,
        measured=f"On {MANY:,} points, where the loss on validation is {number(many.gap, '+.3f')} above that on "
        f"train, the best gains {points(many.best)}. On {FEW} of them, where it is {number(few.gap, '+.3f')} above, "
        f"{points(few.best)}.",
        setting=f"two moons with noise 0.3, {MANY:,} points to train on, or {FEW} of them, the same 4,000 to validate "
        f"with, 2-20-2 with ReLU, Adam, {STEPS:,} steps of {BATCH} points",
        pictures={
            "no_overfitting": (
                sweep_figure(panels, "Two moons, 20 hidden units: gain over the baseline"),
                "What L2 and dropout gain over the baseline, with few points and with many",
            )
        },
        numbers={str(gains.count): _stored(gains) for gains in (few, many)},
    )


def _measure(lab: Lab, count: int) -> Gains:
    variants = [[f"regularization.l2={s}"] for s in STRENGTHS] + [[f"regularization.dropout={r}"] for r in RATES]
    base = [*BASE, f"trainer.max_epochs={STEPS * BATCH // count}"]  # all take the same steps
    baseline, *groups = lab.train(base, [(), *variants], partial(cut_train, count=count))
    best = min(groups, key=lambda group: float(group.validation.errors_SN[:, ::2].mean()))
    gains = [_gain(group, baseline, slice(None)) for group in groups]
    return Gains(
        count,
        gap=over_seeds(baseline.figure_S("val_loss") - baseline.figure_S("train_loss")),
        best=_gain(best, baseline, slice(1, None, 2)),
        by_strength=gains[: len(STRENGTHS)],
        by_rate=gains[len(STRENGTHS) :],
    )


def _gain(group: Group, baseline: Group, examples: slice) -> Estimate:
    return estimate(baseline.validation.errors_SN[:, examples] - group.validation.errors_SN[:, examples])


def _stored(gains: Gains) -> Mapping[str, object]:
    return {
        "gap": interval(gains.gap),
        "gain_of_best": interval(gains.best),
        "gain_by_l2": [{"l2": s, **interval(one)} for s, one in zip(STRENGTHS, gains.by_strength, strict=True)],
        "gain_by_dropout": [{"dropout": r, **interval(one)} for r, one in zip(RATES, gains.by_rate, strict=True)],
    }
