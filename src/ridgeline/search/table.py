"""What a study says when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optuna.study import Study

from ridgeline.config import Config
from ridgeline.search.commandline import CommandLine
from ridgeline.search.ranking import best_first, counts, outcome, ran
from ridgeline.tracking.address import look_at_study

ROWS = 10


def closing_words(study: Study, config: Config, line: CommandLine, folder: Path) -> str:
    """The best trials, the counts, the command that retrains the best, where all is and how to look at it."""
    trials = ran(study)
    best = best_first(trials)
    tally = ", ".join(f"{count} {state}" for state, count in counts(trials).items())
    words = [f"Study {study.study_name}: {tally}"]
    if best:
        words[0] += f"; the best {min(ROWS, len(best))}:"
        params = [d.key for d in line.space]
        errors = [outcome(t).get("metrics", {}).get("final/metric_se") for t in best]
        has_folds = any(error is not None for error in errors)
        head = ["trial", config.metric, *(["standard error"] * has_folds), *params, "best epoch", "seconds"]
        rows = [
            [t.number, t.value, *([error] * has_folds), *map(t.params.get, params), *_cost(t)]
            for t, error in zip(best[:ROWS], errors, strict=False)
        ]
        words += ["", *aligned([head, *([shown(cell) for cell in row] for row in rows)]), ""]
        words += [f"Train the best again:  {line.retrain(best[0].params, where='here')}"]
        words += [f"Does it help?          {line.follow('confirm', study.study_name, where='here')}"]
        words += [f"As a page:             {line.follow('report', study.study_name, where='here')}"]
    words += [f"Results:               {folder}"]
    words += [f"Look at it:            {look_at_study(config, study.study_name)}"]
    return "\n".join(words)


def aligned(rows: list[list[str]]) -> list[str]:
    """Columns of one width, numbers and words to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _cost(trial: Any) -> list[Any]:
    epoch, seconds = (outcome(trial).get(name) for name in ("best_epoch", "seconds"))
    return [epoch, seconds if seconds is None else round(seconds, 1)]


def shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
