"""The table of the best trials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ridgeline.report import words
from ridgeline.report.facts import Story, Trial

RUN_SHOWN = 8
"""Of the 32 digits of a run's id; all of them stand beside the command."""


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
    measured = [Head(name) for name in ("val error", "gap", "best epoch", "seconds")]
    return [Head("trial"), Head(story.metric), *params, *measured, Head("MLflow run", numeric=False)]


def row(story: Story, trial: Trial) -> Row:
    params = [
        Cell(words.number(trial.params.get(axis.key)), _sorted_by(trial.params.get(axis.key)), axis.is_numeric)
        for axis in story.axes
    ]
    error = trial.metrics.get("final/val_error")
    measured = [Cell(words.percent(error), _sorted_by(error))]
    measured += [
        Cell(words.number(value), _sorted_by(value)) for value in (trial.metrics.get("final/gap"), trial.best_epoch)
    ]
    seconds = "" if trial.seconds is None else f"{trial.seconds:.1f}"
    link = f"{story.server}/#/runs/{trial.run_id}" if story.server and trial.run_id else None
    run = Cell((trial.run_id or words.NOTHING)[:RUN_SHOWN], trial.run_id or "", False, link)
    first = [Cell(str(trial.number), str(trial.number)), Cell(words.number(trial.value), _sorted_by(trial.value))]
    cells = [*first, *params, *measured, Cell(seconds, seconds), run]
    return Row(cells, story.commands[trial.number], trial.run_id)


def _sorted_by(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)
