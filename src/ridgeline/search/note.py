"""The description of a study, in Markdown: the MLflow UI shows it on the page of the study's run."""

from __future__ import annotations

from pathlib import Path

from optuna.study import Study

from ridgeline.config import Config
from ridgeline.search.commandline import CommandLine
from ridgeline.search.ranking import best_settings, counts, ran
from ridgeline.search.table import named, shown, which


def study_note(study: Study, config: Config, line: CommandLine, folder: Path, table: str) -> str:
    """What was searched and found so far, and how to go on from here. `table`: the address of the trials' table."""
    trials = ran(study)
    best = best_settings(trials, study.direction)
    tally = ", ".join(f"{count} {state}" for state, count in counts(trials).items())
    params = best[0].trial.params if best else {}
    value = f"**{config.metric} {shown(best[0].value)}** in {named(best[0])}, the best" if best else "No result yet"
    rows = ["| searched | in | best |", "|---|---|---|"]
    of_best = best[0].params if best else {}
    for d in line.space:
        found = shown(of_best[d.key]) if d.key in of_best else "all of them" if best else "-"  # seeds
        rows.append(f"| {d.key} | {d.text.replace('|', chr(92) + '|')} | {found} |")
    commands = [f"[All trials, the best first]({table}), with pictures among the artifacts in `study`."]
    commands += [f"Go on (for more trials, with a larger `search.n_trials`): {code(line.again())}"]
    if best:
        seeds = f" ({which(best[0], config)})" if best[0].seeds > 1 else ""
        commands += [
            f"Train the best again{seeds}: {code(line.retrain(params))}",
            f"Confirm it on the test split: {code(line.follow('confirm', study.study_name))}",
            f"One page about it: {code(line.follow('report', study.study_name))}",
        ]
    commands += [f"Folder: `{folder}`"]
    return "\n".join([f"{value} of {tally}.", "", *rows, "", *(f"- {command}" for command in commands)])


def code(text: str) -> str:
    """As Markdown shows it letter by letter, whatever quotes are in it."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"
