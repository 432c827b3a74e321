"""How L1 and L2 take a weight down that nothing else holds. K fits, W weights, T steps."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from ridgeline import DPI, WeightPaths
from ridgeline_recipes.claims.claim import Claim
from ridgeline_recipes.claims.lab import Lab
from ridgeline_recipes.claims.sweeps import COLOURS
from ridgeline_recipes.rules import FAILS, HOLDS

L1, L2, LR = 0.01, 0.2, 0.1
STEPS = 400
NAMES = (f"L1, l1 = {L1:g}", f"L1 as a gradient, l1 = {L1:g}", f"L2, l2 = {L2:g}")
BASE = (
    "data=digits",
    "network=softmax",
    "optimizer=sgd",
    f"optimizer.lr={LR}",
    "optimizer.momentum=0",
    "trainer.batch_size=null",
    f"trainer.max_epochs={STEPS}",
)
VARIANTS = (
    [f"regularization.l1={L1}"],
    [f"regularization.l1={L1}", "regularization.l1_form=subgradient"],
    [f"regularization.l2={L2}"],
)


def descent(lab: Lab) -> Claim:
    first = Lab(lab.compose, lab.seeds[:1])
    paths = []
    for variant in VARIANTS:
        recorded = WeightPaths()
        (group,) = first.train(BASE, [variant], watchers=[recorded])
        blank_I = ~group.splits.train.x_NI.cpu().bool().any(dim=0)  # pixels that are 0 in every image: no data gradient
        blank_W = blank_I.repeat_interleave(group.splits.n_classes)
        paths.append(torch.stack([weights_KW[0].cpu() for weights_KW in recorded.steps])[:, blank_W].numpy())
    proximal_TW, gradient_TW, l2_TW = paths
    steps = np.argmax(proximal_TW == 0, axis=0)
    expected = np.ceil(np.abs(proximal_TW[0]) / (LR * L1))
    all_arrive = bool((proximal_TW[-1] == 0).all()) and not (l2_TW == 0).any()
    left = float(np.abs(l2_TW[-1] / l2_TW[0]).max())
    swing = float(np.abs(gradient_TW[-1]).max())
    return Claim(
        name="descent",
        sentence="L1 takes a weight to zero at constant speed, L2 ever more slowly and never quite",
        holds_if="of the weights that no example holds, with L1 each is exactly 0 in the end, and with L2 none is at "
        "any step",
        verdict=HOLDS if all_arrive else FAILS,
        measured=f"{proximal_TW.shape[1]} weights. L1: all exactly 0 after {int(steps.max())} steps at most, "
        f"|w| / (lr * l1) to within {int(np.abs(steps - expected).max())} steps. L2: after {STEPS} steps {left:.1e} of "
        f"each is left, as (1 - lr * l2)^{STEPS} = {(1 - LR * L2) ** STEPS:.1e}. L1 as a term of the gradient swings "
        f"around 0 in the end, by up to {swing:.1e}.",
        setting="digits, softmax classifier, gradient descent on all examples, lr 0.1; the weights of the pixels that "
        "are blank in all of them, which the penalty alone moves; one seed",
        pictures={"descent": (_picture(paths), "Weights of blank pixels, step by step: as they are, and their size")},
        numbers={
            "weights": proximal_TW.shape[1],
            "steps_l1": int(steps.max()),
            "left_l2": left,
            "swing_l1_gradient": swing,
        },
    )


def _picture(paths: list[np.ndarray]) -> Figure:
    figure = Figure(figsize=(12.5, 4.2), dpi=DPI, layout="constrained")
    straight, logarithmic = figure.subplots(1, 2)
    chosen = np.argsort(paths[0][0])[:: max(1, paths[0].shape[1] // 8)]
    for path_TW, name, colour, style in zip(paths, NAMES, COLOURS, ("-", ":", "--"), strict=False):
        if name != NAMES[1]:  # it lies on the line of L1 until it is at 0
            for i, w in enumerate(chosen):
                straight.plot(path_TW[:, w], style, color=colour, linewidth=1.3, label=name if i == 0 else None)
        w = chosen[np.abs(path_TW[0, chosen]).argmax()]
        size_T = np.abs(path_TW[:, w])
        logarithmic.plot(np.where(size_T > 0, size_T, np.nan), style, color=colour, linewidth=1.6, label=name)
        zeros = np.flatnonzero(size_T == 0)
        if len(zeros):
            logarithmic.plot(
                zeros[0], size_T[size_T > 0].min(), "o", color=colour, label=f"exactly 0 at step {zeros[0]}"
            )
    straight.axhline(0, color="black", linewidth=0.6)
    straight.set(xlabel="step", ylabel="weight", title="Eight weights")
    logarithmic.set(xlabel="step", ylabel="size of the weight", yscale="log", title="The largest of them in size")
    for axes in (straight, logarithmic):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.suptitle("Weights that no example holds: the descent to zero", fontsize="medium")
    return figure
