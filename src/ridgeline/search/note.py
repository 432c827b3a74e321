"""The description of a study, in Markdown: the MLflow UI shows it on the page of the study's run."""

from __future__ import annotations

from pathlib import Path

from optuna.study import Study

from ridgeline.config import Config
from ridgeline.search.commandline import CommandLine
from ridgeline.search.ranking import best_first, counts, ran
from ridgeline.search.table import shown


def study_note(study: Study, config: Config, line: CommandLine, folder: Path, table: str) -> str:
    """What was searched and found so far, and how to go on from here. `table`: the address of the trials' table."""
    trials = ran(study)
    best = best_first(trials)
    tally = ", ".join(f"{count} {state}" for state, count in counts(trials).items())
    params = best[0].params if best else {}
    value = (
        f"**{config.metric} {shown(best[0].value)}** in trial {best[0].number}, the best" if best else "No result yet"
    )
    rows = ["| searched | in | best |", "|---|---|---|"]
    rows += [f"| {d.key} | {d.text.replace('|', chr(92) + '|')} | {shown(params.get(d.key))} |" for d in line.space]
    commands = [f"[All trials, the best first]({table}), with pictures among the artifacts in `study`."]
    commands += [f"Go on (for more trials, with a larger `search.n_trials`): `{line.again()}`"]
    if best:
        commands += [
            f"Train the best again: `{line.retrain(params)}`",
            f"Confirm it on the test part: `{line.follow('confirm', study.study_name)}`",
            f"One page about it: `{line.follow('report', study.study_name)}`",
        ]
    commands += [f"Folder: `{folder}`"]
    return "\n".join([f"{value} of {tally}.", "", *rows, "", *(f"- {command}" for command in commands)])
