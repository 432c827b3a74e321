"""More data cures overfitting: error against the number of examples."""

from __future__ import annotations

from functools import partial

from ridgeline import estimate, interval, over_seeds
from ridgeline_recipes.claims.claim import Claim, number, percent, points
from ridgeline_recipes.claims.lab import Group, Lab, cut_train
from ridgeline_recipes.claims.sweeps import SHARE, Panel, sweep_figure
from ridgeline_recipes.rules import both, helps

COUNTS = (32, 64, 128, 256, 512, 1024)
STEPS, BATCH = 1600, 32


def examples(lab: Lab) -> Claim:
    base = ["data=digits", "network.hidden=[64]", f"trainer.batch_size={BATCH}"]
    groups = dict[int, Group]()
    for count in COUNTS:
        epochs = STEPS * BATCH // count  # so that all take the same steps
        (groups[count],) = lab.train(base, [[f"trainer.max_epochs={epochs}"]], partial(cut_train, count=count))
    few, many = groups[COUNTS[0]], groups[COUNTS[-1]]
    gaps = {count: group.figure_S("val_loss") - group.figure_S("train_loss") for count, group in groups.items()}
    gap_falls = over_seeds(gaps[COUNTS[0]] - gaps[COUNTS[-1]])
    error_falls = estimate(few.validation.errors_SN - many.validation.errors_SN)
    errors = {
        "validation": [groups[count].error for count in COUNTS],
        "train": [groups[count].mean_of("train_error") for count in COUNTS],
    }
    panels = [
        Panel("examples to train on", "error, %", COUNTS, errors, scale=100, bounds=SHARE),
        Panel(
            "examples to train on",
            "validation loss less train loss",
            COUNTS,
            {"gap": [over_seeds(gaps[count]) for count in COUNTS]},
        ),
    ]
    return Claim(
        name="examples",
        sentence="More data cures overfitting",
        holds_if=f"with {COUNTS[-1]:,} examples both the gap between validation and train loss and the validation "
        f"error are below those with {COUNTS[0]}",
        verdict=both(helps(gap_falls), helps(error_falls)),
        measured=f"From {COUNTS[0]} to {COUNTS[-1]:,} examples the gap falls from "
        f"{number(over_seeds(gaps[COUNTS[0]]))} to {number(over_seeds(gaps[COUNTS[-1]]))} and the validation error "
        f"from {percent(few.error)} to {percent(many.error)}, by {points(error_falls)}.",
        setting=f"digits, the same 359 to validate with, 64-64-10 with ReLU, Adam, {STEPS:,} steps of {BATCH} "
        f"examples, no regularization",
        pictures={
            "examples": (sweep_figure(panels, "Digits, 64 hidden units: what data bring"), "By number of examples")
        },
        numbers={
            "examples": list(COUNTS),
            "val_error": [interval(one) for one in errors["validation"]],
            "train_error": [interval(one) for one in errors["train"]],
            "gap": [interval(over_seeds(gaps[count])) for count in COUNTS],
        },
    )
