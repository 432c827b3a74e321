"""The decision boundary against lambda and dropout. S seeds, G points along each axis of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from contourpy import contour_generator
from matplotlib.figure import Figure

from ridgeline import DPI, interval, logits_KNC, over_seeds
from ridgeline_recipes.by_hand.picture import COLOURS, SHADES
from ridgeline_recipes.claims.claim import Claim, number
from ridgeline_recipes.claims.lab import FEW_POINTS, Group, Lab, cut_train
from ridgeline_recipes.rules import both, helps

COUNT = 100
STRENGTHS = (0.0, 0.001, 0.01, 0.03, 0.1)
RATES = (0.0, 0.2, 0.4, 0.6, 0.8)
GRID, REACH = 200, 2.6


def boundaries(lab: Lab) -> Claim:
    variants = [[f"regularization.l2={s}"] for s in STRENGTHS] + [[f"regularization.dropout={r}"] for r in RATES[1:]]
    groups = lab.train(FEW_POINTS, variants, partial(cut_train, count=COUNT))
    of_l2 = groups[: len(STRENGTHS)]
    of_dropout = [groups[0], *groups[len(STRENGTHS) :]]
    x_G = np.linspace(-REACH, REACH, GRID)
    lengths = {group.config: _lengths_S(group, x_G) for group in groups}
    baseline_S = lengths[groups[0].config]
    l2_S, dropout_S = lengths[of_l2[2].config], lengths[of_dropout[2].config]
    means = {config: over_seeds(own_S) for config, own_S in lengths.items()}
    return Claim(
        name="boundaries",
        sentence="Regularization smooths the decision boundary",
        holds_if=f"the line where both classes are equally likely is shorter than that of the baseline with the "
        f"same seed, with l2={STRENGTHS[2]:g} and with dropout {RATES[2]:g}",
        verdict=both(helps(over_seeds(baseline_S - l2_S)), helps(over_seeds(baseline_S - dropout_S))),
        measured=f"Its length is {number(means[groups[0].config])} without regularization, {number(over_seeds(l2_S))} "
        f"with l2={STRENGTHS[2]:g}, {number(over_seeds(dropout_S))} with dropout {RATES[2]:g} (in standard deviations "
        f"of the features).",
        setting=f"{COUNT} points of two moons with noise 0.3, 2-100-100-2 with ReLU, Adam on all points, 600 epochs",
        pictures={
            "boundaries": (
                _picture(of_l2, of_dropout, x_G),
                "The first seed's network by l2 (top) and by dropout rate (bottom), with the points that it learned "
                "from",
            )
        },
        numbers={
            "l2": [{"l2": s, **interval(means[g.config])} for s, g in zip(STRENGTHS, of_l2, strict=True)],
            "dropout": [{"dropout": r, **interval(means[g.config])} for r, g in zip(RATES, of_dropout, strict=True)],
        },
    )


def _probability_SGG(group: Group, x_G: np.ndarray, count: int) -> np.ndarray:
    """The probability of class 1 over the grid, for the first `count` networks."""
    grid_N2 = np.stack(np.meshgrid(x_G, x_G), axis=-1).reshape(-1, 2).astype(np.float32)
    weights = [fit.weights for fit in group.fits[:count]]
    probability_SNC = logits_KNC(group.config, weights, torch.from_numpy(grid_N2)).softmax(dim=2).numpy()
    shaped: np.ndarray = probability_SNC[:, :, 1].reshape(count, len(x_G), len(x_G))
    return shaped


def _lengths_S(group: Group, x_G: np.ndarray) -> np.ndarray:
    return np.array([length(p_GG, x_G) for p_GG in _probability_SGG(group, x_G, len(group.fits))])


def length(p_GG: np.ndarray, x_G: np.ndarray) -> float:
    """The length of the lines where the probability is 1/2."""
    lines = contour_generator(x_G, x_G, p_GG).lines(0.5)
    return sum(float(np.linalg.norm(np.diff(np.asarray(line), axis=0), axis=1).sum()) for line in lines)


def _picture(of_l2: Sequence[Group], of_dropout: Sequence[Group], x_G: np.ndarray) -> Figure:
    figure = Figure(figsize=(13, 5.8), dpi=DPI, layout="constrained")
    for axes_row, groups, name in zip(
        figure.subplots(2, len(of_l2)), (of_l2, of_dropout), ("l2", "dropout"), strict=True
    ):
        for axes, group in zip(axes_row, groups, strict=True):
            (p_GG,) = _probability_SGG(group, x_G, 1)
            axes.pcolormesh(x_G, x_G, p_GG, cmap=SHADES, vmin=0, vmax=1, rasterized=True)
            axes.contour(x_G, x_G, p_GG, levels=[0.5], colors="black", linewidths=1.4)
            train = group.splits.train
            for label, colour in enumerate(COLOURS):
                axes.scatter(
                    *train.x_NI[train.y_N == label].cpu().T, s=9, color=colour, edgecolors="white", linewidths=0.3
                )
            setting = getattr(group.config.regularization, name)
            axes.set_title(
                f"{f'{name} {setting:g}' if setting else 'baseline'}: validation error {100 * group.error.mean:.1f}%",
                fontsize="small",
            )
            axes.set(xticks=[], yticks=[], aspect="equal")
    figure.suptitle(f"Two moons, {COUNT} points: the boundary by l2 and by dropout", fontsize="medium")
    return figure
