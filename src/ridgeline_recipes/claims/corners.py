"""The diamond of L1 has corners on the axes, the disc of L2 has none. N examples, G points along an axis of a grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from ridgeline import DPI, Split, Splits
from ridgeline_recipes.claims.claim import Claim
from ridgeline_recipes.claims.lab import Group, Lab
from ridgeline_recipes.claims.sweeps import COLOURS
from ridgeline_recipes.rules import FAILS, HOLDS

FEATURES = (0, 4)
NAMES = ("mean radius", "mean smoothness")
BASE = (
    "data=breast_cancer",
    "network=softmax",
    "network.output=sigmoid",
    "optimizer=sgd",
    "optimizer.lr=0.5",
    "optimizer.momentum=0.9",
    "trainer.batch_size=null",
    "trainer.max_epochs=500",
)
STRENGTHS = {"l1": (0.01, 0.03, 0.07, 0.16, 0.25), "l2": (0.01, 0.03, 0.07, 0.16, 0.4)}
SHOWN = {"l1": 0.16, "l2": 0.16}
GRID = 201
MARGIN = 2.0


def corners(lab: Lab) -> Claim:
    first = Lab(lab.compose, lab.seeds[:1])  # one minimum, wherever it starts
    variants = [[f"regularization.{kind}={s}"] for kind, own in STRENGTHS.items() for s in own]
    baseline, *groups = first.train(BASE, [(), *variants], two_features)
    n = len(STRENGTHS["l1"])
    ends = {"l1": _weights(groups[:n]), "l2": _weights(groups[n:])}
    best = _weights([baseline])[0]
    on_axis = {kind: int((points == 0).any(axis=1).sum()) for kind, points in ends.items()}
    train = baseline.splits.train
    every = np.vstack([best, *ends.values()])
    w_G, v_G = (
        np.linspace(low - MARGIN, high + MARGIN, GRID) for low, high in zip(every.min(0), every.max(0), strict=True)
    )
    loss_GG = profile(w_G, v_G, train)
    return Claim(
        name="corners",
        sentence="The minimum under L1 lies on an axis, the minimum under L2 does not",
        holds_if="with L1 one of two weights alone is exactly 0 at some strength, and with L2 none is at any",
        verdict=HOLDS if (_on_one_axis(ends["l1"]) and on_axis["l2"] == 0) else FAILS,
        measured=f"With L1 {on_axis['l1']} of {n} strengths leave a weight at exactly 0, with L2 {on_axis['l2']} of "
        f"{n}. At l1={SHOWN['l1']:g} the weights are {_shown(ends, 'l1')}, at l2={SHOWN['l2']:g} "
        f"{_shown(ends, 'l2')}, without a penalty ({best[0]:.2f}, {best[1]:.2f}).",
        setting=f"breast_cancer, {NAMES[0]} and {NAMES[1]} alone, logistic regression, gradient descent to "
        "the minimum, of which there is one",
        pictures={
            "corners": (
                _picture((w_G, v_G), loss_GG, ends, best),
                "Contours of the loss over both weights, and where fits end: without a penalty (cross), and with more "
                "and more of one (dots)",
            )
        },
        numbers={kind: [[float(w) for w in point] for point in points] for kind, points in ends.items()},
    )


def two_features(splits: Splits) -> Splits:
    def two(part: Split) -> Split:
        return replace(part, x_NI=part.x_NI[:, list(FEATURES)].contiguous())

    return replace(splits, train=two(splits.train), validation=two(splits.validation))


def _weights(groups: list[Group]) -> np.ndarray:
    """A row a configuration, its two weights."""
    return np.stack([group.weights_SW[0] for group in groups])


def _on_one_axis(points: np.ndarray) -> bool:
    return bool(((points == 0).sum(axis=1) == 1).any())


def _shown(ends: dict[str, np.ndarray], kind: str) -> str:
    x, y = ends[kind][STRENGTHS[kind].index(SHOWN[kind])]
    return f"({x:.2f}, {y:.2f})" if y else f"({x:.2f}, 0)"


def profile(w_G: np.ndarray, v_G: np.ndarray, train: Split) -> np.ndarray:
    """The mean cross-entropy at weights (w, v), a row for each v, at the best bias, found by Newton's steps."""
    x_N2, y_N = train.x_NI.double().cpu().numpy(), train.y_N.cpu().numpy()
    rows = []
    for v in v_G:
        score_NG = np.outer(x_N2[:, 0], w_G) + (x_N2[:, 1] * v)[:, None]
        b_G = np.zeros(len(w_G))
        for _ in range(20):
            p_NG = 1 / (1 + np.exp(-(score_NG + b_G)))
            step_G = (p_NG - y_N[:, None]).mean(axis=0) / (p_NG * (1 - p_NG)).mean(axis=0)
            b_G -= np.clip(step_G, -1, 1)
        z_NG = score_NG + b_G
        rows.append((np.logaddexp(0, z_NG) - y_N[:, None] * z_NG).mean(axis=0))
    return np.stack(rows)


def _picture(
    grid: tuple[np.ndarray, np.ndarray], loss_GG: np.ndarray, ends: dict[str, np.ndarray], best: np.ndarray
) -> Figure:
    figure = Figure(figsize=(11, 4.4), dpi=DPI, layout="constrained")
    for axes, kind, colour in zip(figure.subplots(1, 2), ("l1", "l2"), COLOURS, strict=False):
        shown = ends[kind][STRENGTHS[kind].index(SHOWN[kind])]
        _contours(axes, grid, loss_GG, shown)
        size = float(np.abs(shown).sum()) if kind == "l1" else float(np.linalg.norm(shown))
        if kind == "l1":
            shape: Polygon | Circle = Polygon([(size, 0), (0, size), (-size, 0), (0, -size)])
        else:
            shape = Circle((0, 0), size)
        shape.set(facecolor=colour, alpha=0.25, edgecolor=colour, linewidth=1.5)
        axes.add_patch(shape)
        axes.plot(*np.vstack([best, ends[kind]]).T, "-", color=colour, linewidth=1)
        axes.plot(
            *ends[kind].T, "o", color=colour, markersize=5, label=f"{kind} = {', '.join(map(str, STRENGTHS[kind]))}"
        )
        axes.plot(*shown, "o", color="black", markersize=9, fillstyle="none", label=f"{kind} = {SHOWN[kind]:g}")
        axes.plot(*best, "x", color="black", markersize=8, label="no penalty")
        axes.axhline(0, color="black", linewidth=0.6)
        axes.axvline(0, color="black", linewidth=0.6)
        name = "L1: equal penalties lie on a diamond" if kind == "l1" else "L2: equal penalties lie on a circle"
        axes.set(
            aspect="equal",
            xlim=grid[0][[0, -1]],
            ylim=grid[1][[0, -1]],
            xlabel=f"weight of {NAMES[0]}",
            ylabel=f"weight of {NAMES[1]}",
            title=name,
        )
        axes.legend(fontsize="small", loc="lower left")
    return figure


def _contours(axes: Axes, grid: tuple[np.ndarray, np.ndarray], loss_GG: np.ndarray, through: np.ndarray) -> None:
    """Draw contours of the loss, one of them through that point."""
    column, row = (int(np.abs(along_G - w).argmin()) for along_G, w in zip(grid, through, strict=True))
    least, here = float(loss_GG.min()), float(loss_GG[row, column])
    levels = sorted({least + (here - least) * factor for factor in (0.1, 0.4, 1.0, 2.0, 4.0, 8.0)})
    axes.contour(*grid, loss_GG, levels=levels, colors="#888888", linewidths=0.9)
    axes.contour(*grid, loss_GG, levels=[here], colors="black", linewidths=1.3)
