"""Does regularization help? One sentence on the test error of the best and the baseline, and the table below it.

The test error is the share of examples that are taken for another class; in regression RMSE or MAE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.command_line.numbers import chance, digits, number
from ridgeline.evaluation.ablation_words import ablation_lines
from ridgeline.evaluation.arms import BASELINE, BEST
from ridgeline.report.notation import OPENED_BEFORE
from ridgeline.tasks.figures import BESIDE, FIGURES, title

HELPS, NOTHING_SHOWN, HARMS = "helps", "no difference shown", "harms"
NOT_CHOSEN = "no regularization chosen"
"""The winner has none on: it is the baseline itself, and nothing is compared."""

SURE = 0.01
"""A difference with a p-value of at least this is shown only just."""

LEAST = 0.001
"""Of the baseline's RMSE or MAE: a smaller difference is none. Two networks that differ in next to nothing and begin
with the same seeds differ by as little, and as surely; that of classes is a whole example or nothing."""

NOT_OF_EXAMPLES = ": it says nothing of other test examples, for no error of each could be had"

OPENING = {
    (HELPS, False): "Regularization helps",
    (HELPS, True): "Regularization helps, but only just",
    (HARMS, False): "Regularization harms",
    (HARMS, True): "Regularization harms, but only just",
    (NOTHING_SHOWN, False): "No difference shown",
}


def verdict(
    best: Mapping[str, Any],
    baseline: Mapping[str, Any],
    difference: Mapping[str, Any],
    off: Mapping[str, Any],
    n: int,
    figure: str = "error",
    *,
    by_seeds: int | None = None,
) -> dict[str, Any]:
    """By whether the 95% interval of the paired difference in test error leaves out 0.

    `off`: what the winner has on and the baseline has not. `n`: test examples. `figure`: of the errors. A verdict is
    borderline where p >= `SURE`, or where the difference of wrong classes is less than one test example. In regression
    a difference below `LEAST` shows nothing. Where the test examples come in groups, `difference` says in how many.

    `by_seeds`: the figure is one of whole test splits, better up (1) or down (-1), and the interval is over seeds
    alone, which the sentence says; None: it is one of examples' errors.
    """
    groups = difference.get("groups")
    seeds, with_it, without = f"over {len(best['seeds'])} seeds", best["test"][figure], baseline["test"][figure]
    if not off:
        sentence = (
            "No regularization chosen: the best configuration has nothing on that regularizes, so there is nothing to"
            f" compare it with; {stated(with_it['mean'], figure)} {seeds}."
        )
        return {"word": NOT_CHOSEN, "sentence": sentence, "borderline": False, "examples": None}
    error = difference[figure]
    word = HELPS if error["high"] < 0 else HARMS if error["low"] > 0 else NOTHING_SHOWN
    if by_seeds == 1:
        word = {HELPS: HARMS, HARMS: HELPS}.get(word, word)
    is_tiny = word != NOTHING_SHOWN and figure != "error" and abs(error["mean"]) < LEAST * abs(without["mean"])
    word = NOTHING_SHOWN if is_tiny else word
    is_less = figure == "error" and abs(error["mean"]) * n < 1
    is_borderline = word != NOTHING_SHOWN and (error["p_value"] >= SURE or is_less)
    if figure != "error":
        mean, low, high = (digits(error[name], sign="+") for name in ("mean", "low", "high"))
        rates = f"{stated(with_it['mean'], figure)} with it, {digits(without['mean'])} without"
        span = f"a difference of {mean} (95% interval {low} to {high}, {chance(error['p_value'])})"
        end = f", less than {LEAST:.1%} of it" if is_tiny else ""
        within = "" if groups is None else f" in {groups:,} groups"
        over = f"{seeds} and {n:,} test examples{within}" if by_seeds is None else f"{seeds} alone{NOT_OF_EXAMPLES}"
        sentence = f"{OPENING[word, is_borderline]}: {rates}, {span} {over}{end}."
        return {"word": word, "sentence": sentence, "borderline": is_borderline, "examples": None}
    rates = f"{best['test']['error']['mean']:.2%} test error with it, {baseline['test']['error']['mean']:.2%} without"
    mean, low, high = (points(error[name]) for name in ("mean", "low", "high"))
    over = seeds if groups is None else f"{seeds} and {groups:,} groups"
    span = f"a difference of {mean} points (95% interval {low} to {high}, {chance(error['p_value'])}) {over}"
    examples = {name: error[name] * n for name in ("mean", "low", "high")}
    counted = "{mean:+.1f} errors on {n:,} test examples ({low:+.1f} to {high:+.1f})".format(**examples, n=n)
    sentence = f"{OPENING[word, is_borderline]}: {rates}, {span}: {counted}."
    return {"word": word, "sentence": sentence, "borderline": is_borderline, "examples": examples}


def stated(value: float, figure: str) -> str:
    """A test figure with its name."""
    if figure == "error":
        return f"{value:.2%} test error"
    return f"{figure} {digits(value)}" if is_of_a_module(figure) else f"test {title(figure)} {digits(value)}"


def is_of_a_module(figure: str) -> bool:
    """Whether it is one that a module logs, by its own name."""
    return figure not in FIGURES


def _named(figure: str) -> str:
    return figure if is_of_a_module(figure) else f"test {title(figure)}"


def _percent(share: float) -> str:
    return f"{share:.2%}"


def _of_a_loss(value: float) -> str:
    return f"{value:.4f}"


def points(share: float) -> str:
    """Percentage points, with as many digits as it takes to tell them from 0."""
    text = f"{100 * share:+.2f}"
    return f"{100 * share:+.1g}" if float(text) == 0 != share else text


def closing_words(record: dict[str, Any]) -> str:
    """What confirming prints last: the verdict, both networks side by side, how often the test split was opened."""
    rows: list[tuple[str, ...]] = [("", "best", "baseline")]
    arms = [record["arms"][name] for name in (BEST, BASELINE)]
    figure = record["figure"]
    for what, get, write in (
        (_named(figure), lambda arm: arm["test"][figure], _percent if figure == "error" else digits),
        ("test loss", lambda arm: arm["test"].get("loss"), _of_a_loss),
        ("gap (test - train loss)", lambda arm: arm.get("gap"), _of_a_loss),
    ):
        if get(arms[0]) is None:  # a module that is measured by seeds alone has it not
            continue
        rows.append((what, *(f"{write(e['mean'])} ({write(e['low'])} to {write(e['high'])})" for e in map(get, arms))))
    for key, what in BESIDE.items():
        if key in arms[0]["test"]:
            rows.append((what, *(f"{arm['test'][key]:.4f}" for arm in arms)))
    rows.append(("epochs", *(str(arm["epochs"]) for arm in arms)))
    width = 3 + max(len(cell) for row in rows for cell in row)
    lines = [f"{what:26}{best:>{width}}{baseline:>{width}}" for what, best, baseline in rows]
    for name, arm in record["arms"].items():
        shown = ", ".join(f"{key}={number(value)}" for key, value in arm["params"].items())
        lines.append(f"{name}: {shown}")
    lost = [one["sentence"] for one in record["lost"]]
    averaged = ["", *record["ensemble"]["sentences"]] if "ensemble" in record else []
    return "\n".join(
        [
            *(record["verdict"]["sentence"], *lost, "", *lines, *_off(record), *averaged),
            *(*ablation_lines(record.get("ablation"), figure), "", *_opening(record["opening"])),
        ]
    )


def _opening(opening: dict[str, Any]) -> list[str]:
    """How often the test split was opened, and whether it was for this."""
    reused = f" These are the predictions of {opening['when']}, used again." if opening["reused"] else ""
    if opening["number"] == 1:
        return [f"The test split was opened for the first time, on {opening['when']}.{reused}"]
    last = opening["earlier"][-1]
    return [
        f"This test split was opened {opening['number']} times now, before on {last['when']} for {last['study']}."
        f" {OPENED_BEFORE}{reused}"
    ]


def _off(record: dict[str, Any]) -> list[str]:
    """What is off in the baseline, and that early stopping is not."""
    if not record["off"]:
        return []
    shown = ", ".join(f"{key}={number(value)}" for key, value in record["off"].items())
    stays = "; early stopping is on for both" if record["early_stopping"] else ""
    untuned = "; its learning rate is as it was, for no argument of the module is called lr or learning_rate"
    return [f"Off in the baseline: {shown}{stays}{untuned if record.get('tuned', '') is None else ''}."]
