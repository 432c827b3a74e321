"""Wider fits more and costs more."""

from __future__ import annotations

import time

from ridgeline import Estimate, estimate, interval, over_seeds
from ridgeline_recipes.claims.claim import Claim, number, percent, points
from ridgeline_recipes.claims.lab import OVERFITTING, Group, Lab
from ridgeline_recipes.claims.sweeps import SHARE, SIZE, Panel, sweep_figure
from ridgeline_recipes.rules import FAILS, helps

WIDTHS = (8, 16, 32, 64, 128, 256, 512)
NARROW, WIDE = 64, 512


def widths(lab: Lab) -> Claim:
    base = [option for option in OVERFITTING if not option.startswith("network.")]
    groups, seconds = dict[int, Group](), dict[int, float]()
    lab.train(base, [[f"network.hidden=[{NARROW}]", "trainer.max_epochs=2"]])  # what only the first training waits for
    for width in WIDTHS:
        started = time.monotonic()
        (groups[width],) = lab.train(base, [[f"network.hidden=[{width}]", "trainer.num_threads=1"]])
        seconds[width] = (time.monotonic() - started) / len(lab.seeds)
    narrow, wide = groups[NARROW], groups[WIDE]
    fits_more = over_seeds(narrow.figure_S("train_loss") - wide.figure_S("train_loss"))
    error = estimate(wide.validation.errors_SN - narrow.validation.errors_SN)
    losses = {
        "train": [groups[width].mean_of("train_loss") for width in WIDTHS],
        "validation": [groups[width].loss for width in WIDTHS],
    }
    times = [Estimate(seconds[width], seconds[width], seconds[width], 1.0, 0.0) for width in WIDTHS]
    errors = {
        "validation": [groups[width].error for width in WIDTHS],
        "train": [groups[width].mean_of("train_error") for width in WIDTHS],
    }
    panels = [
        Panel("hidden units", "loss", WIDTHS, losses, log_y=True, bounds=SIZE),
        Panel("hidden units", "error, %", WIDTHS, errors, scale=100, bounds=SHARE),
        Panel("hidden units", "seconds of a fit, one core", WIDTHS, {f"{len(lab.seeds)} in a stack": times}, zero=True),
    ]
    return Claim(
        name="widths",
        sentence="A wider network fits more and costs more; the validation error decides",
        holds_if=f"the train loss of {WIDE} hidden units is below that of {NARROW} with the same seed, and a fit "
        f"takes longer",
        verdict=helps(fits_more) if seconds[WIDE] > seconds[NARROW] else FAILS,
        measured=f"Train loss {number(narrow.mean_of('train_loss'))} with {NARROW} units, "
        f"{number(wide.mean_of('train_loss'))} with {WIDE}; a fit takes {seconds[WIDE] / seconds[NARROW]:.1f} times "
        f"as long ({seconds[WIDE]:.2f} against {seconds[NARROW]:.2f} s on one core). Validation error "
        f"{percent(narrow.error)} and {percent(wide.error)}, a difference of {points(error)}.",
        setting="digits, 359 to train on, one hidden layer with ReLU, Adam, 100 epochs, no regularization",
        pictures={"widths": (sweep_figure(panels, "Digits, one hidden layer: what width brings"), "By hidden units")},
        numbers={
            "widths": list(WIDTHS),
            "train_loss": [interval(one) for one in losses["train"]],
            "val_loss": [interval(one) for one in losses["validation"]],
            "val_error": [interval(groups[width].error) for width in WIDTHS],
            "seconds": [seconds[width] for width in WIDTHS],
        },
    )
