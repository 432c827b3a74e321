"""Dropout shrinks the weights' norm as L2 does. W weights of a network, S seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ridgeline import DPI, Estimate, interval, over_seeds
from ridgeline_recipes.claims.claim import Claim, number
from ridgeline_recipes.claims.lab import OVERFITTING, Group, Lab
from ridgeline_recipes.claims.sweeps import BASELINE, COLOURS, Panel, sweep_figure
from ridgeline_recipes.rules import both, helps

STRENGTHS = tuple(10 ** (n / 2) for n in range(-10, -1))
RATES = tuple(n / 10 for n in range(9))
BINS = 81


def norms(lab: Lab) -> Claim:
    variants = [[f"regularization.l2={s}"] for s in STRENGTHS] + [[f"regularization.dropout={r}"] for r in RATES]
    variants += [[f"regularization.l1={s}"] for s in STRENGTHS]
    groups = lab.train(OVERFITTING, variants)
    of_l2, of_dropout = groups[: len(STRENGTHS)], groups[len(STRENGTHS) : len(STRENGTHS) + len(RATES)]
    baseline = of_dropout[0]
    best = {"L2": _best(of_l2), "dropout": _best(of_dropout[1:]), "L1": _best(groups[-len(STRENGTHS) :])}
    ratios = {name: over_seeds(_norm_S(group) / _norm_S(baseline)) for name, group in best.items()}
    falls = {name: over_seeds(_norm_S(baseline) - _norm_S(best[name])) for name in ("L2", "dropout")}
    rate, strength = best["dropout"].config.regularization.dropout, best["L2"].config.regularization.l2
    panels = [
        Panel(
            "l2",
            "L2 norm of all weights",
            STRENGTHS,
            {"L2": _norms(of_l2)},
            {"baseline": _norms([baseline])[0]},
            zero=True,
        ),
        Panel("dropout rate", "L2 norm of all weights", RATES, {"dropout": _norms(of_dropout)}, log_x=False, zero=True),
    ]
    return Claim(
        name="norms",
        sentence="Dropout shrinks the weights' norm, as L2 does",
        holds_if="the norm of all weights is below that of the baseline with the same seed, for both, each at its "
        "setting with the lowest validation loss",
        verdict=both(helps(falls["L2"]), helps(falls["dropout"])),
        measured=f"The norm with dropout {rate:g} is {number(ratios['dropout'], '.2f')} times that of the "
        f"baseline; with L2 at {strength:.2g}, {number(ratios['L2'], '.2f')} times.",
        setting="digits, 359 to train on, 64-64-10 with ReLU, Adam, 100 epochs",
        pictures={
            "norms": (sweep_figure(panels, "Digits, 64 hidden units: the norm of the weights"), "The norm by setting"),
            "weights": (
                _histograms({"baseline": baseline, **best}),
                "How many weights have which size: baseline, and each at its setting with the lowest validation loss",
            ),
        },
        numbers={
            "l2": [{"l2": s, **interval(norm)} for s, norm in zip(STRENGTHS, _norms(of_l2), strict=True)],
            "dropout": [{"dropout": r, **interval(norm)} for r, norm in zip(RATES, _norms(of_dropout), strict=True)],
            "ratio_to_baseline": {name: interval(ratio) for name, ratio in ratios.items()},
        },
    )


def _best(groups: list[Group]) -> Group:
    return min(groups, key=lambda group: group.loss.mean)


def _norm_S(group: Group) -> np.ndarray:
    norm_S: np.ndarray = np.linalg.norm(group.weights_SW.astype(np.float64), axis=1)
    return norm_S


def _norms(groups: list[Group]) -> list[Estimate]:
    return [over_seeds(_norm_S(group)) for group in groups]


def _histograms(groups: dict[str, Group]) -> Figure:
    """Counts of a network, means over seeds, on a logarithmic axis: the tails would not show otherwise."""
    figure = Figure(figsize=(3.6 * len(groups), 3.6), dpi=DPI, layout="constrained")
    reach = float(np.abs(groups["baseline"].weights_SW).max())
    edges = np.linspace(-reach, reach, BINS + 1)
    all_axes = figure.subplots(1, len(groups), sharey=True)
    for axes, (name, group), colour in zip(all_axes, groups.items(), (BASELINE, *COLOURS), strict=False):
        weights_SW, regularization = group.weights_SW, group.config.regularization
        counts, _ = np.histogram(weights_SW, edges)
        axes.stairs(counts / len(weights_SW), edges, fill=True, color=colour, alpha=0.7)
        setting = {"L2": regularization.l2, "L1": regularization.l1, "dropout": regularization.dropout}.get(name)
        zero = 100 * float((weights_SW == 0).mean())
        axes.set_title(f"{name}{'' if setting is None else f' {setting:.2g}'}\n{zero:.0f}% are exactly 0")
        axes.set(xlabel="weight", yscale="log")
        axes.grid(alpha=0.3)
    all_axes[0].set_ylabel("weights of a network")
    return figure
