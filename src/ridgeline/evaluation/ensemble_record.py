"""What averaging gains: each ensemble against the one network of its side, and both ensembles against each other.

An ensemble of n members is no network of the same architecture, so that none of this is part of the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.command_line.numbers import chance, digits
from ridgeline.evaluation.arms import BASELINE, BEST, compare, on_test
from ridgeline.evaluation.ensemble import Averaged
from ridgeline.evaluation.measuring import Measuring
from ridgeline.evaluation.opened import OF_ENSEMBLE, Opened
from ridgeline.evaluation.verdict import HARMS, HELPS, LEAST, NOTHING_SHOWN, points, stated

CHAMPION = "A champion that is registered is the mean of the networks of the study: it does not harm."

ENDING = {HELPS: "averaging helps", HARMS: "averaging harms", NOTHING_SHOWN: "no gain shown"}
ENDING_OF_BOTH = {HELPS: "regularization helps", HARMS: "regularization harms", NOTHING_SHOWN: "no difference shown"}


def describe_ensembles(ensembles: Mapping[str, Averaged], opened: Opened, measuring: Measuring) -> dict[str, Any]:
    """The part `ensemble` of confirm.json, by side; `gain`: the ensemble minus the one network, `difference`: the
    ensemble of the best minus that of the baseline, where there are both."""
    figure, sample = measuring.figure, opened.sample
    measured = {side: opened.measured[f"{side}{OF_ENSEMBLE}"] for side in ensembles}
    test = {side: on_test(own, opened.targets_N, figure, sample) for side, own in measured.items()}
    gain = {side: compare(own, opened.measured[side], figure, sample) for side, own in measured.items()}
    single = {side: on_test(opened.measured[side], opened.targets_N, figure, sample) for side in measured}
    seeds = len(next(iter(ensembles.values())).arms[0].seeds)
    words = {side: _word(gain[side][figure], figure, single[side][figure]["mean"]) for side in ensembles}
    sentences = []
    for side, own in ensembles.items():
        whose = "of the study" if side == BEST else "of the baseline"
        alone = _value(single[side][figure]["mean"], figure)
        means = f"{stated(test[side][figure]['mean'], figure)}, one alone {alone}"
        span = _span(gain[side][figure], figure, seeds)
        if len(own.arms) > 1:
            networks = f"The mean of {len(own.arms)} networks {whose}"
            sentences.append(f"{networks} has {means}: {span}: {ENDING[words[side]]}.")
        else:
            sentences.append(f"One network {whose} is selected, so nothing is averaged. It has {means}.")
        if own.failed:
            sentences.append(f"{len(own.failed)} of its {len(own.chosen.members)} members failed: {own.failed[0]}")
    found: dict[str, Any] = {
        "sides": {side: {**_described(own), "test": test[side]} for side, own in ensembles.items()},
        "gain": gain,
        "words": words,
    }
    if BEST in ensembles and len(ensembles[BEST].arms) > 1 and words[BEST] != HARMS:
        sentences.append(CHAMPION)
    if len(ensembles) == 2 and any(len(own.arms) > 1 for own in ensembles.values()):
        found["difference"] = compare(measured[BEST], measured[BASELINE], figure, sample)
        word = _word(found["difference"][figure], figure, test[BASELINE][figure]["mean"])
        span = _span(found["difference"][figure], figure, seeds)
        sentences.append(f"Of the two means, with regularization and without: {span}: {ENDING_OF_BOTH[word]}.")
    return {**found, "sentences": sentences}


def _described(own: Averaged) -> dict[str, Any]:
    members = [
        {
            "trial": arm.candidate.trial,
            "share": share,
            "params": arm.candidate.params,
            "searched_value": arm.candidate.searched,
            "epochs": arm.config.trainer.max_epochs if arm.config.model is None else None,
            "seed": arm.seeds[0],
        }
        for arm, share in zip(own.arms, own.shares, strict=True)
    ]
    chosen = own.chosen
    validation = {"by": chosen.by, "ensemble": chosen.loss, "alone": chosen.alone, "candidates": chosen.candidates}
    return {"members": members, "validation": validation, "failed": own.failed}


def _word(difference: Mapping[str, float], figure: str, of: float) -> str:
    """By the 95% interval, as of the verdict."""
    if figure != "error" and abs(difference["mean"]) < LEAST * abs(of):
        return NOTHING_SHOWN
    return HELPS if difference["high"] < 0 else HARMS if difference["low"] > 0 else NOTHING_SHOWN


def _span(difference: Mapping[str, float], figure: str, seeds: int) -> str:
    is_share = figure == "error"
    mean, low, high = (
        points(difference[name]) if is_share else digits(difference[name], sign="+") for name in ("mean", "low", "high")
    )
    unit = " points" if is_share else ""
    p_value = chance(difference["p_value"])
    return f"a difference of {mean}{unit} (95% interval {low} to {high}, {p_value}) over {seeds} seeds"


def _value(value: float, figure: str) -> str:
    return f"{value:.2%}" if figure == "error" else digits(value)
