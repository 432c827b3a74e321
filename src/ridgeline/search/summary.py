"""What came of a study, in words: on the terminal when it ends, and as the description of its run in MLflow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.study import Study

from ridgeline.command_line.numbers import number
from ridgeline.config import Config
from ridgeline.data import has_test_split
from ridgeline.report.notation import counted
from ridgeline.search.advice import on_no_result
from ridgeline.search.commandline import CommandLine
from ridgeline.search.ranking import Setting, best_settings, counts, outcome, ran, repeated, settings
from ridgeline.tracking.address import look_at_study

ROWS = 10


def closing_words(study: Study, config: Config, line: CommandLine, folder: Path) -> str:
    """What a study ends with: the best settings, the counts, the commands that follow, where all of it is."""
    trials = ran(study)
    every, best = settings(trials), best_settings(trials, study.direction)
    tally = ", ".join(f"{count} {state}" for state, count in counts(trials).items())
    words = [f"Study {study.study_name}: {tally}"]
    n_seeds = every[0].seeds if every else 1
    if n_seeds > 1:
        words[0] += f"; {counted(len(best), 'setting')} with all {n_seeds} seeds"
        words[0] += f", {len(every) - len(best)} without and not ranked" if len(best) < len(every) else ""
    if best:
        words[0] += f"; the best {min(ROWS, len(best))}:"
        words += ["", *aligned(_rows(best[:ROWS], config, [d.key for d in line.space])), ""]
        words += [f"Stands for the best:   {which(best[0], config)}"] * (n_seeds > 1)
        words += [f"Train the best again:  {line.retrain(best[0].trial.params, where='here')}"]
        if has_test_split(config.data):
            words += [f"Does it help?          {line.follow('confirm', study.study_name, where='here')}"]
        words += [f"As a page:             {line.follow('report', study.study_name, where='here')}"]
    elif trials:
        words += [on_no_result(trials, config.search.pruner)]
    words += [f"Results:               {folder}"]
    words += [f"Look at it:            {look_at_study(config, study.study_name)}"]
    return "\n".join(words)


def _rows(best: Sequence[Setting], config: Config, keys: Sequence[str]) -> list[list[str]]:
    """The head of the table, and a row for each setting.

    Where a setting has several seeds, its numbers are means, and `trial` is the trial nearest to the mean.
    """
    keys, has_seeds = [key for key in keys if key in best[0].params], best[0].seeds > 1
    errors = [s.metrics.get("final/metric_se") for s in best]
    has_folds = any(error is not None for error in errors)
    head = ["trial", config.metric, *["deviation", "seeds"] * has_seeds, *["standard error"] * has_folds, *keys]
    rows: list[list[Any]] = [[*head, "best epoch", "seconds"]]
    for s, error in zip(best, errors, strict=True):
        measured: list[Any] = [s.value, *[s.deviation, s.seeds] * has_seeds, *[error] * has_folds]
        rows.append([s.trial.number, *measured, *map(s.params.get, keys), *_cost(s)])
    return [[number(cell) for cell in row] for row in rows]


def named(setting: Setting) -> str:
    """A setting in words: `trial 4`, or `the mean of 3 seeds, trials 3, 4 and 5`."""
    if setting.seeds == 1:
        return f"trial {setting.trial.number}"
    *most, last = (str(t.number) for t in setting.trials)
    return f"the mean of {setting.seeds} seeds, trials {', '.join(most)} and {last}"


def which(setting: Setting, config: Config) -> str:
    """Which of its trials stands for a setting of several seeds, and the number that training it again gives."""
    trial = setting.trial
    seeds = ", ".join(f"{key}={trial.params[key]}" for key in repeated(trial))
    return f"trial {trial.number}, {seeds}: {config.metric} {number(trial.value)}"


def aligned(rows: list[list[str]]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell, all cells to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _cost(setting: Setting) -> list[Any]:
    """The best epoch, and how long all of its trials took together."""
    found = [outcome(t) for t in setting.trials]
    epochs, seconds = ([each[name] for each in found if name in each] for name in ("best_epoch", "seconds"))
    return [statistics.median_low(epochs) if epochs else None, round(sum(seconds), 1) if seconds else None]


def study_note(study: Study, config: Config, line: CommandLine, folder: Path, table: str) -> str:
    """The same in Markdown, which the MLflow UI shows on the page of the study's run. `table`: the address of the
    trials' table."""
    trials = ran(study)
    best = best_settings(trials, study.direction)
    tally = ", ".join(f"{count} {state}" for state, count in counts(trials).items())
    params = best[0].trial.params if best else {}
    value = f"**{config.metric} {number(best[0].value)}** in {named(best[0])}, the best" if best else "No result yet"
    rows = ["| searched | in | best |", "|---|---|---|"]
    of_best = best[0].params if best else {}
    for d in line.space:
        found = number(of_best[d.key]) if d.key in of_best else "all of them" if best else "-"  # seeds
        rows.append(f"| {d.key} | {d.text.replace('|', chr(92) + '|')} | {found} |")
    commands = [f"[All trials, the best first]({table}), with pictures among the artifacts in `study`."]
    commands += [f"Go on (for more trials, with a larger `search.n_trials`): {_code(line.again())}"]
    if best:
        seeds = f" ({which(best[0], config)})" if best[0].seeds > 1 else ""
        tests = has_test_split(config.data)
        commands += [
            f"Train the best again{seeds}: {_code(line.retrain(params))}",
            *[f"Confirm it on the test split: {_code(line.follow('confirm', study.study_name))}"] * tests,
            f"One page about it: {_code(line.follow('report', study.study_name))}",
        ]
    commands += [f"Folder: `{folder}`"]
    return "\n".join([f"{value} of {tally}.", "", *rows, "", *(f"- {command}" for command in commands)])


def _code(text: str) -> str:
    """Text as code in Markdown, which is shown letter by letter."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"
