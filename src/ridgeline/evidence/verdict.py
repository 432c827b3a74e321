"""One sentence on the test error of the best against the plain network."""

from __future__ import annotations

from typing import Any

HELPS, NOTHING_SHOWN, HARMS = "helps", "no difference shown", "harms"


def verdict(best: dict[str, Any], plain: dict[str, Any], difference: dict[str, Any]) -> dict[str, str]:
    """By whether the 95% interval of the paired difference in test error leaves out 0."""
    error = difference["error"]
    word = HELPS if error["high"] < 0 else HARMS if error["low"] > 0 else NOTHING_SHOWN
    opening = {
        HELPS: "Regularization helps",
        HARMS: "Regularization harms",
        NOTHING_SHOWN: "No difference shown",
    }[word]
    rates = f"{best['test']['error']['mean']:.2%} test error with it, {plain['test']['error']['mean']:.2%} without"
    points = [f"{100 * error[name]:+.2f}" for name in ("mean", "low", "high")]
    span = f"a difference of {points[0]} points (95% interval {points[1]} to {points[2]}, {chance(error['p_value'])})"
    seeds = f"over {len(best['seeds'])} seeds"
    return {"word": word, "sentence": f"{opening}: {rates}, {span} {seeds}."}


def chance(p_value: float) -> str:
    return "p < 0.0001" if p_value < 1e-4 else f"p = {p_value:.2g}"
