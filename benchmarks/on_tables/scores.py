"""Figures of predictions, with 95% intervals over the rows that test; ranks, and the tables that are shown.

N rows, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from on_tables.splits import Table, said_of

LEAST = 1e-6
"""Probabilities below it count as it: one row that a tree is sure of would weigh more than all others."""
PUBLISHED = ("mlp", "realmlp", "tabr", "lightgbm", "xgboost", "catboost")


def figures(table: Table, predicted: np.ndarray) -> dict[str, float]:
    """`loss`: log loss, or RMSE; of classes `accuracy` too. Each with `_low` and `_high`."""
    truth = table.numbers_of("test")
    if table.is_regression:
        mean, low, high = _interval((predicted - truth) ** 2)
        return {"loss": mean**0.5, "loss_low": max(low, 0.0) ** 0.5, "loss_high": high**0.5}
    predicted = np.clip(predicted, LEAST, 1)
    predicted /= predicted.sum(axis=1, keepdims=True)
    loss = _interval(-np.log(predicted[np.arange(len(truth)), truth]))
    right = _interval((predicted.argmax(axis=1) == truth).astype(float))
    return {
        **dict(zip(("loss", "loss_low", "loss_high"), loss, strict=True)),
        **dict(zip(("accuracy", "accuracy_low", "accuracy_high"), right, strict=True)),
    }


def _interval(values_N: np.ndarray) -> tuple[float, float, float]:
    mean, error = float(values_N.mean()), float(values_N.std(ddof=1) / len(values_N) ** 0.5)
    return mean, mean - 1.96 * error, mean + 1.96 * error


def mean_ranks(losses: Mapping[str, Mapping[str, float]], methods: Sequence[str]) -> dict[str, float]:
    """By method, of losses by table and method: ties share a rank, and what has none ranks behind all that have one."""
    from scipy.stats import rankdata

    ranks = [rankdata([own.get(method, np.inf) for method in methods]) for own in losses.values()]
    return dict(zip(methods, np.mean(ranks, axis=0), strict=True))


def markdown(rows: Iterable[Mapping[str, Any]], anchors: Mapping[str, Mapping[str, float]]) -> str:
    """Losses, then what TALENT publishes (accuracy, RMSE), each a mean over the seeds."""
    rows = list(rows)
    names = list(dict.fromkeys(row["table"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    losses = {name: _means(rows, name, "loss") for name in names}
    lines = ["Log loss; of numbers RMSE. The best of each table is bold; -: not done in time.", ""]
    lines += [f"| table | splits | {' | '.join(methods)} |", "|---" * (len(methods) + 2) + "|"]
    for name, own in losses.items():
        lines.append(f"| {name} | {said_of(name)} | {' | '.join(_shown(own, method) for method in methods)} |")
    ranks = mean_ranks(losses, methods)
    lines.append(f"| **mean rank** | | {' | '.join(f'{ranks[method]:.2f}' for method in methods)} |")
    lines += [
        "",
        "Accuracy; of numbers RMSE. Published: by TALENT, of 100 trials and 15 seeds, where the splits are its.",
        "",
    ]
    head = [*methods, *(f"published {method}" for method in PUBLISHED)]
    lines += [f"| table | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for name in names:
        own = _means(rows, name, "accuracy") or losses[name]
        known = anchors.get(name, {}) if said_of(name) != "ours" else {}
        shown = [f"{own[method]:.4g}" if method in own else "-" for method in methods]
        shown += [f"{known[method]:.4g}" if method in known else "" for method in PUBLISHED]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _means(rows: Iterable[Mapping[str, Any]], name: str, figure: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["table"] == name and row.get(figure) not in (None, ""):
            found.setdefault(row["method"], []).append(float(row[figure]))
    return {method: float(np.mean(values)) for method, values in found.items()}


def _shown(own: Mapping[str, float], method: str) -> str:
    if method not in own:
        return "-"
    text = f"{own[method]:.4g}"
    return f"**{text}**" if own[method] == min(own.values()) else text
