"""What confirming measured, in words and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ridgeline.report import words


def opening_in_words(opening: Mapping[str, Any]) -> str:
    when, revision = words.moment(opening["when"]), words.revision(opening["commit"])
    changed = ", with uncommitted changes" if opening.get("dirty") else ""
    time = words.ordinal(opening["number"])
    said = f"The test part was opened for the {time} time on {when}, revision {revision}{changed}."
    if opening["number"] == 1:
        return said
    why = "What was chosen after an earlier opening may follow from what that one showed: these numbers may flatter."
    return f"{said} {why}"


def rows(record: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the table: what, best, plain, difference."""
    arms, difference = [record["arms"][name] for name in ("best", "plain")], record["difference"]
    differences = {
        kind: f"{write(difference[kind])}, {words.p_value(difference[kind]['p_value'])}"
        for kind, write in (("error", words.percent_estimate), ("loss", words.estimate))
    }
    shown: list[tuple[str, Callable[[Mapping[str, Any]], str], str]] = [
        ("Test error", lambda arm: words.percent_estimate(arm["test"]["error"]), differences["error"]),
        ("Test loss", lambda arm: words.estimate(arm["test"]["loss"]), differences["loss"]),
        ("Calibration error (ECE)", lambda arm: words.percent(arm["test"]["ece"]), ""),
        (f"Gap: test loss {words.MINUS} train loss", lambda arm: words.estimate(arm["gap"]), ""),
        ("Train error", lambda arm: words.percent(arm["train"]["error"]), ""),
        ("Train loss", lambda arm: words.number(arm["train"]["loss"]), ""),
        ("Weights that are exactly 0", lambda arm: words.percent(arm["sparsity"]["weights"], 1), ""),
        ("Weights below 0.001", lambda arm: words.percent(arm["sparsity"]["small"], 1), ""),
        ("L2 norm of the weights", lambda arm: words.number(arm["weight_norm"]), ""),
        ("Parameters", lambda arm: words.number(arm["parameters"]), ""),
        ("Epochs", lambda arm: words.number(arm["epochs"]), ""),
        ("Time of a fit", lambda arm: words.seconds(arm["seconds_per_fit"]), ""),
    ]
    cost = f"{words.counted(record['cost']['fits'], 'fit')}, {words.seconds(record['cost']['seconds'])}"
    return [[name, *map(cell, arms), last] for name, cell, last in shown] + [["Cost of confirming", cost, "", ""]]
