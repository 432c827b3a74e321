"""A large lambda drives units into their linear range. S seeds, N examples, O hidden units, C classes."""

from __future__ import annotations

import numpy as np

from ridgeline import interval, logits_KNC, over_seeds
from ridgeline_recipes.claims.claim import Claim, percent
from ridgeline_recipes.claims.lab import OVERFITTING, Group, Lab
from ridgeline_recipes.claims.sweeps import SHARE, Panel, sweep_figure
from ridgeline_recipes.rules import both, helps

STRENGTHS = tuple(10 ** (n / 2) for n in range(-10, 0))
LINEAR = 0.5
"""tanh z is within 8% of z for |z| below it."""
LARGE = 0.1


def linear_range(lab: Lab) -> Claim:
    variants = [[f"regularization.l2={s}"] for s in STRENGTHS]
    baseline, *groups = lab.train([*OVERFITTING, "network.activation=tanh"], [(), *variants])
    (softmax,) = lab.train([o for o in OVERFITTING if not o.startswith("network.")], [["network=softmax"]])
    share_S, baseline_share_S = inside_S(_at(groups, LARGE)), inside_S(baseline)
    fit_S, baseline_fit_S = linear_S(_at(groups, LARGE)), linear_S(baseline)
    rises = helps(over_seeds(share_S - baseline_share_S)), helps(over_seeds(fit_S - baseline_fit_S))
    large = _at(groups, LARGE)
    panels = [
        Panel(
            "l2",
            "%",
            STRENGTHS,
            {
                f"activations with |z| < {LINEAR:g}": [over_seeds(inside_S(group)) for group in groups],
                "variance of the outputs that a linear map explains": [over_seeds(linear_S(g)) for g in groups],
            },
            {"baseline: |z| < 0.5": over_seeds(baseline_share_S), "baseline: linear map": over_seeds(baseline_fit_S)},
            scale=100,
            bounds=SHARE,
        ),
        Panel(
            "l2",
            "validation error, %",
            STRENGTHS,
            {"tanh network": [group.error for group in groups]},
            {"baseline": baseline.error, "softmax classifier, no hidden layer": softmax.error},
            scale=100,
        ),
    ]
    return Claim(
        name="linear_range",
        sentence="A large lambda drives units into their linear range, and the network becomes almost linear",
        holds_if=f"with l2={LARGE:g} more of the hidden units' inputs z are below {LINEAR:g} in size, where tanh is "
        f"nearly a straight line, and a linear map of the features explains more of the outputs' variance than in the "
        f"baseline",
        verdict=both(*rises),
        measured=f"|z| < {LINEAR:g}: {percent(over_seeds(share_S))} against {percent(over_seeds(baseline_share_S))} in "
        f"the baseline. A linear map explains {percent(over_seeds(fit_S))} of the outputs' variance, against "
        f"{percent(over_seeds(baseline_fit_S))}. Validation error {percent(large.error)}; a classifier without a "
        f"hidden layer has {percent(softmax.error)}.",
        setting="digits, 359 to train on, 64-64-10 with tanh, Adam, 100 epochs; the linear map by least squares on the "
        "validation split",
        pictures={
            "linear_range": (sweep_figure(panels, "Digits, 64 tanh units"), "How linear the network is, by lambda")
        },
        numbers={
            "l2": list(STRENGTHS),
            "inside": [interval(over_seeds(inside_S(group))) for group in groups],
            "linear": [interval(over_seeds(linear_S(group))) for group in groups],
            "baseline": {
                "inside": interval(over_seeds(baseline_share_S)),
                "linear": interval(over_seeds(baseline_fit_S)),
            },
        },
    )


def _at(groups: list[Group], strength: float) -> Group:
    return min(groups, key=lambda group: abs(group.config.regularization.l2 - strength))


def inside_S(group: Group) -> np.ndarray:
    """The share of the first layer's z that lie in the linear range, over units and validation examples."""
    x_NI = group.splits.validation.x_NI.cpu().numpy()
    z_SNO = [x_NI @ f.weights["linears.0.weight"].numpy().T + f.weights["linears.0.bias"].numpy() for f in group.fits]
    return np.array([(np.abs(z_NO) < LINEAR).mean() for z_NO in z_SNO])


def linear_S(group: Group) -> np.ndarray:
    """R squared of the best linear map from features to logits, over all classes."""
    x_NI = group.splits.validation.x_NI.cpu()
    logits_SNC = logits_KNC(group.config, [fit.weights for fit in group.fits], x_NI).double().numpy()
    design_NJ = np.column_stack([x_NI.double().numpy(), np.ones(len(x_NI))])
    shares = []
    for logits_NC in logits_SNC:
        centred_NC = logits_NC - logits_NC.mean(axis=0)
        map_JC, *_ = np.linalg.lstsq(design_NJ, logits_NC, rcond=None)
        rest_NC = logits_NC - design_NJ @ map_JC
        shares.append(1 - (rest_NC**2).sum() / (centred_NC**2).sum())
    return np.array(shares)
