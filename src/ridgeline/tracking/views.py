"""Saved views of MLflow's table of runs, in the menu "Views" of the experiment: which runs, in which order and columns.

The UI keeps them as tags of the experiment, in the form that `_tag` makes. Another version of MLflow may have another
form; then the table is as it is without them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.config import Config

if TYPE_CHECKING:
    from mlflow.entities import ExperimentTag

PREFIX = "mlflow.sharedViewState."
MOST_KEYS = 20
"""How many keys of a space get a column at most: a tag holds 5000 characters."""
WIDTHS = {"metrics": 120, "params": 190, "tags": 150}
"""The widths of columns in pixels, by kind."""


@dataclass(frozen=True)
class View:
    """`where` is MLflow's filter; `columns` are `metrics.KEY`, `params.KEY`, `tags.KEY`; ascending by the first one, or
    (`newest_first`) by their start."""

    name: str
    where: str
    columns: Sequence[str]
    newest_first: bool = False
    largest_first: bool = False


def study_view(study: str, config: Config, keys: Sequence[str]) -> View:
    """The trials of a study, the best first."""
    columns = [f"metrics.{final(config.metric)}", *(f"params.{key}" for key in keys[:MOST_KEYS])]
    ours = ["val_loss", f"val_{config.measured('val')[0]}", "gap"] if config.model is None else []
    others = [*ours, "best_epoch"]
    columns += [column for other in others if (column := f"metrics.values/{other}") not in columns]
    where = f"tags.`ridgeline.study` = '{study}' and tags.`ridgeline.kind` = 'trial'"
    return View(study, where, columns, largest_first=config.direction == "maximize")


STUDIES = View(
    "Studies",
    "tags.`ridgeline.kind` = 'study'",
    [
        "tags.verdict",
        "metrics.verdict/best/test_error",
        "metrics.verdict/baseline/test_error",
        "metrics.values/val_loss",
        "metrics.values/val_error",
        "metrics.trials/complete",
        "tags.ridgeline.champion",
        "metrics.trials/pruned",
        "metrics.trials/failed",
    ],
    newest_first=True,
)


def final(metric: str) -> str:
    """The name of what a trial ends with: `values/val_loss` of `val/loss`."""
    return f"values/{metric.replace('/', '_')}"


def as_tag(view: View) -> ExperimentTag:
    """The tag by which the UI knows the view; what follows its prefix is the view's key in addresses."""
    from mlflow.entities import ExperimentTag

    columns = [_column(column) for column in view.columns]
    order = {"orderByKey": "attributes.start_time", "orderByAsc": False}
    if not view.newest_first:
        order = {"orderByKey": columns[0], "orderByAsc": not view.largest_first}
    widths = {column: WIDTHS[column.partition(".")[0]] for column in columns}
    shown = {"selectedColumns": columns, "columnOrder": columns, "columnWidths": widths}
    state = json.dumps({"searchFilter": view.where, **order, **shown})
    saved = {"name": view.name, "createdAt": time.time_ns() // 1_000_000, "state": state}  # ms
    return ExperimentTag(f"{PREFIX}{view.name}", json.dumps(saved))


def _column(name: str) -> str:
    kind, _, key = name.partition(".")
    return f"{kind}.`{key}`"
