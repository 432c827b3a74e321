"""Regret of search strategies over seconds: a table, and a picture.

A row has `strategy`, `table`, `seed`, `after` (seconds), and the losses `validation` and `test` of the best trial by
then, empty before there is one; in the last of a search also how many trials and epochs were trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ridgeline.report.axes import DPI

COLOURS = ("#1f77b4", "#2ca02c", "#98df8a", "#d62728", "#9467bd", "#ff7f0e", "#8c564b", "#7f7f7f")
SHOWN = (2, 4, 8, 16)
"""Seconds whose regret the table has."""

PERCENT = (0.9, 30)
TICKS = (1, 2, 5, 10, 20)
"""Of regret: what is drawn."""

Rows = Sequence[Mapping[str, Any]]


def compared(rows: Rows) -> Rows:
    """Those of the tables and seeds on which every strategy has searched that is there at all."""
    names = {row["strategy"] for row in rows}
    done = {(row["strategy"], row["table"], row["seed"]) for row in rows}
    return [row for row in rows if all((name, row["table"], row["seed"]) in done for name in names)]


def regrets(rows: Rows, figure: str) -> dict[tuple[str, str, str, float], float]:
    """By strategy, table, seed and moment: how much larger the loss is than the smallest of its table at the end."""
    last = max(float(row["after"]) for row in rows)
    best: dict[str, float] = {}
    for row in rows:
        if float(row["after"]) == last and row[figure] != "":
            best[row["table"]] = min(float(row[figure]), best.get(row["table"], np.inf))
    return {
        (row["strategy"], row["table"], row["seed"], float(row["after"])): float(row[figure]) / best[row["table"]] - 1
        for row in rows
        if row[figure] != ""
    }


def markdown(rows: Rows, baseline: str) -> str:
    """Regret by strategy and moment, the mean over tables and seeds; and against the baseline on the same ones."""
    test, validation = regrets(rows, "test"), regrets(rows, "validation")
    cells = sorted({key[1:3] for key in test})
    last = max(key[3] for key in test)
    moments = [after for after in SHOWN if after <= last]
    head = [*(f"test, {after} s" for after in moments), f"validation, {last:g} s"]
    head += [f"against {baseline}", "better in", "full trials", "pruned or short", "epochs"]
    lines = [f"| | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for name in dict.fromkeys(row["strategy"] for row in rows):
        shown = [_mean([test.get((name, *cell, float(after))) for cell in cells]) for after in moments]
        shown.append(_mean([validation.get((name, *cell, last)) for cell in cells]))
        both = [cell for cell in cells if (name, *cell, last) in test and (baseline, *cell, last) in test]
        gains = [np.log((1 + test[(name, *cell, last)]) / (1 + test[(baseline, *cell, last)])) for cell in both]
        error = np.std(gains, ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else np.nan
        shown.append("" if name == baseline else f"{np.mean(gains):+.1%} ± {error:.1%}")
        shown.append("" if name == baseline else f"{sum(gain < 0 for gain in gains)} of {len(gains)}")
        ends = [row for row in rows if row["strategy"] == name and float(row["after"]) == last]
        counts = {key: [int(row[key]) for row in ends] for key in ("complete", "pruned", "fully", "epochs")}
        fully, trained = np.mean(counts["fully"]), np.mean(counts["complete"]) + np.mean(counts["pruned"])
        shown += [f"{fully:.0f}", f"{trained - fully:.0f}", f"{np.mean(counts['epochs']):.0f}"]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _mean(values: Sequence[float | None]) -> str:
    """-: not every search had a complete trial by then."""
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.1%}" if len(known) == len(values) else "-"


def draw(rows: Rows) -> Figure:
    """Regret over seconds, a line a strategy."""
    figure = Figure(figsize=(10.5, 4.4), dpi=DPI, layout="constrained")
    for axes, kind in zip(figure.subplots(1, 2), ("validation", "test"), strict=True):
        found = regrets(rows, kind)
        cells = sorted({key[1:3] for key in found})
        moments = sorted({key[3] for key in found})
        for name, colour in zip(dict.fromkeys(row["strategy"] for row in rows), COLOURS, strict=False):
            known = {after: [found.get((name, *cell, after)) for cell in cells] for after in moments}
            line = {after: np.mean(values) for after, values in known.items() if None not in values}
            axes.plot(list(line), [100 * value for value in line.values()], marker=".", color=colour, label=name)
        axes.set(title=f"best trial so far: {kind} loss", xlabel="seconds of CPU", ylabel="regret, %", xscale="log")
        axes.set_yscale("log")
        axes.set_ylim(*PERCENT)
        axes.set_yticks(TICKS, [str(tick) for tick in TICKS])
        axes.set_xticks(SHOWN, [str(after) for after in SHOWN])
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure
