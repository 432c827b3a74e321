"""What a study leaves in its folder: trials.csv, optimization_results.yaml and summary.json."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import yaml
from optuna.study import Study

from ridgeline.config import Config
from ridgeline.search.commandline import CommandLine
from ridgeline.search.folder import job_folder
from ridgeline.search.ranking import best_first, counts, outcome, ran, state_of

COLUMNS = ("best_epoch", "epochs", "seconds", "reason", "run_id")


def write_results(study: Study, config: Config, line: CommandLine, folder: Path) -> list[Path]:
    """Write the files, and the summary to `search.summary` too; the paths in the folder."""
    paths = [folder / "trials.csv", folder / "optimization_results.yaml", folder / "summary.json"]
    _write_table(study, line, paths[0])
    paths[1].write_text(yaml.safe_dump(_results(study, line), sort_keys=False))
    write_summary(study, config, paths[2])
    if config.search.summary is not None:
        path = Path(config.search.summary)
        write_summary(study, config, path)
        write_history(study, path.with_suffix(".csv"))
    return paths


def write_summary(study: Study, config: Config, path: Path) -> None:
    """The outcome without times and paths: the same study on the same machine gives the same bytes, as DVC wants it."""
    best = best_first(ran(study))
    summary = {
        "study": study.study_name,
        "metric": config.metric,
        "best_value": best[0].value if best else None,
        "best_params": best[0].params if best else None,
        **{f"n_{state}": count for state, count in counts(ran(study)).items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=2) + "\n")


def write_history(study: Study, path: Path) -> None:
    """The value of each complete trial and the best until then, by trial number: what DVC plots."""
    best = math.inf
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial", "value", "best"])
        for trial in sorted(best_first(ran(study)), key=lambda t: t.number):
            assert trial.value is not None
            best = min(best, trial.value)
            writer.writerow([trial.number, trial.value, best])


def _results(study: Study, line: CommandLine) -> dict[str, Any]:
    best = best_first(ran(study))
    return {  # the first three as Hydra's Optuna plugin names them
        "name": "ridgeline/optuna",
        "best_params": best[0].params if best else None,
        "best_value": best[0].value if best else None,
        "best_trial": best[0].number if best else None,
        "study": study.study_name,
        "counts": counts(ran(study)),
        "command": line.retrain(best[0].params) if best else None,
    }


def _write_table(study: Study, line: CommandLine, path: Path) -> None:
    """One row a trial, the interrupted ones included."""
    trials = study.get_trials(deepcopy=False)
    params = [d.key for d in line.space]
    metrics = sorted({name for t in trials for name in outcome(t).get("metrics", {})})
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "state", "value", *params, *metrics, *COLUMNS, "job_dir"])
        for t in trials:
            found = outcome(t)
            measured = found.get("metrics", {})
            writer.writerow(
                [t.number, state_of(t), t.value]
                + [t.params.get(name) for name in params]
                + [measured.get(name) for name in metrics]
                + [*(found.get(name) for name in COLUMNS), job_folder(t.number)]
            )
