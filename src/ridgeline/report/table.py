"""The texts about each trial: its row of the table, and what appears under the mouse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ridgeline.report import notation
from ridgeline.report.facts import Story, Trial
from ridgeline.tasks.figures import title

RUN_SHOWN = 8
"""How many of the 32 digits of a run's id are shown; all of them stand beside the command."""


@dataclass(frozen=True)
class Cell:
    """`value` is what the cell is sorted by, empty for nothing."""

    text: str
    value: str
    numeric: bool = True
    link: str | None = None


@dataclass(frozen=True)
class Head:
    label: str
    numeric: bool = True
    key: str | None = None


@dataclass(frozen=True)
class Row:
    cells: list[Cell]
    command: str
    run_id: str | None


def heads(story: Story) -> list[Head]:
    params = [Head(axis.label, axis.is_numeric, axis.key) for axis in story.axes]
    names = [] if story.figure is None else [f"val {title(story.figure)}", "gap"]
    measured = [Head(name) for name in (*names, "best epoch", "seconds")]
    means = (
        [Head(f"{story.metric}, mean"), Head("deviation"), Head("seeds")] if story.has_seeds else [Head(story.metric)]
    )
    return [Head("trial"), *means, *params, *measured, Head("MLflow run", numeric=False)]


def row(story: Story, trial: Trial) -> Row:
    params = [
        Cell(notation.number(trial.params.get(axis.key)), _sorted_by(trial.params.get(axis.key)), axis.is_numeric)
        for axis in story.axes
    ]
    measured = []
    if story.figure is not None:
        error, gap = (trial.metrics.get(f"final/{name}") for name in (f"val_{story.figure}", "gap"))
        measured += [Cell(notation.figure(story.figure, error), _sorted_by(error))]
        measured += [Cell(notation.number(gap, aligned=True), _sorted_by(gap))]
    measured += [Cell(notation.number(trial.best_epoch), _sorted_by(trial.best_epoch))]
    seconds = "" if trial.seconds is None else f"{trial.seconds:.1f}"
    link = f"{story.server}/#/runs/{trial.run_id}" if trial.run_id else None
    run = Cell((trial.run_id or notation.NOTHING)[:RUN_SHOWN], trial.run_id or "", False, link)
    first = [
        Cell(str(trial.number), str(trial.number)),
        Cell(notation.number(trial.value, aligned=True), _sorted_by(trial.value)),
    ]
    if story.has_seeds:
        deviation = notation.number(trial.deviation, aligned=True)
        first += [Cell(deviation, _sorted_by(trial.deviation)), Cell(str(trial.seeds), str(trial.seeds))]
    cells = [*first, *params, *measured, Cell(seconds, seconds), run]
    return Row(cells, story.retrain(trial.number), trial.run_id)


def told(story: Story) -> str:
    """A line a trial for page.js: its number and what is said of it, a tab before each line of that."""
    labels = {axis.key: axis.label for axis in story.axes}
    means = {t.number: t for t in story.settings if t.seeds > 1}
    lines = []
    for t in story.trials:
        said = [f"trial {t.number}, {t.state.lower()}"]
        if t.value is not None:
            said.append(f"{story.metric} {notation.number(t.value)}")
        if t.number in means and means[t.number].value is not None:
            own = means[t.number]
            said.append(f"mean {notation.number(own.value)} ± {notation.number(own.deviation)} of {own.seeds} seeds")
        error = t.metrics.get(f"final/val_{story.figure}")
        if story.figure is not None and error is not None:
            said.append(f"validation {title(story.figure)} {notation.figure(story.figure, error)}")
        said += [f"{labels.get(key, key)} {notation.number(value)}" for key, value in t.params.items()]
        lines.append("\t".join([str(t.number), *(" ".join(one.split()) for one in said)]))
    return "\n".join(lines)


def _sorted_by(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)
