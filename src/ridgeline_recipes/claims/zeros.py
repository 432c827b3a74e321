"""L1 makes weights exactly zero, L2 does not."""

from __future__ import annotations

from ridgeline import interval
from ridgeline_recipes.claims.claim import Claim, percent
from ridgeline_recipes.claims.lab import OVERFITTING, Group, Lab
from ridgeline_recipes.claims.sweeps import SHARE, Panel, sweep_figure
from ridgeline_recipes.rules import FAILS, HOLDS

STRENGTHS = tuple(10 ** (n / 2) for n in range(-10, -1))
FORMS = {
    "L1": ("regularization.l1={}",),
    "L1 as a gradient": ("regularization.l1={}", "regularization.l1_form=subgradient"),
    "L2": ("regularization.l2={}",),
}


def zeros(lab: Lab) -> Claim:
    variants = [[part.format(s) for part in parts] for parts in FORMS.values() for s in STRENGTHS]
    baseline, *groups = lab.train(OVERFITTING, [(), *variants])
    n = len(STRENGTHS)
    by_form = {name: groups[i * n : (i + 1) * n] for i, name in enumerate(FORMS)}
    best = min(by_form["L1"], key=lambda group: group.loss.mean)
    at_best = best.mean_of("zero_weights")
    of_l2 = max(int((group.weights_SW == 0).sum()) for group in by_form["L2"])
    as_gradient = max(float((group.weights_SW == 0).mean()) for group in by_form["L1 as a gradient"])
    weights = best.weights_SW.shape[1]
    return Claim(
        name="zeros",
        sentence="L1 makes weights exactly zero, L2 does not",
        holds_if="at the strength of L1 with the lowest validation loss the share of weights that are exactly 0 is "
        "above 0, and no network with L2 has a weight that is 0, at any strength",
        verdict=HOLDS if at_best.low > 0 and of_l2 == 0 else FAILS,
        measured=f"L1 at its best strength, {best.config.regularization.l1:.2g}: {percent(at_best)} of the {weights:,} "
        f"weights are exactly 0. L2: {of_l2 or 'none'} in {len(lab.seeds)} networks, at any of {n} strengths. L1 "
        f"as a term of the gradient, `l1_form=subgradient`, as most libraries have it: at most "
        f"{100 * as_gradient:.1f}%.",
        setting="digits, 359 to train on and 1,078 to validate with, 64-64-10 with ReLU, Adam, 100 epochs",
        pictures={
            "zeros": (
                sweep_figure(_panels(baseline, by_form), "Digits, 64 hidden units: weights that are exactly 0"),
                "The share of weights that are exactly 0, and the validation error, by strength",
            )
        },
        numbers={
            "strengths": list(STRENGTHS),
            "zero_weights": {name: [interval(g.mean_of("zero_weights")) for g in own] for name, own in by_form.items()},
            "val_error": {name: [interval(g.error) for g in own] for name, own in by_form.items()},
            "baseline_val_error": interval(baseline.error),
        },
    )


def _panels(baseline: Group, by_form: dict[str, list[Group]]) -> list[Panel]:
    shares = {name: [group.mean_of("zero_weights") for group in own] for name, own in by_form.items()}
    errors = {name: [group.error for group in own] for name, own in by_form.items()}
    return [
        Panel("l1 or l2", "weights that are exactly 0, %", STRENGTHS, shares, scale=100, bounds=SHARE),
        Panel(
            "l1 or l2",
            "validation error, %",
            STRENGTHS,
            errors,
            {"baseline": baseline.error},
            scale=100,
            bounds=SHARE,
            log_y=True,
        ),
    ]
