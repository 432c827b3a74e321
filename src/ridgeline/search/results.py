"""What a study leaves in its folder: trials.csv, optimization_results.yaml and summary.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from optuna.study import Study
from optuna.trial import TrialState

from ridgeline.config import Config
from ridgeline.search.commandline import CommandLine
from ridgeline.search.conditions import values_of
from ridgeline.search.job_folder import job_folder
from ridgeline.search.ranking import Setting, Standings, best_settings, counts, outcome, ran, settings, state_of

COLUMNS = ("best_epoch", "epochs", "seconds", "reason", "run_id")


def write_results(study: Study, config: Config, line: CommandLine, folder: Path) -> list[Path]:
    """Write the files, and the summary to `search.summary` too; the paths in the folder."""
    paths = [folder / "trials.csv", folder / "optimization_results.yaml", folder / "summary.json"]
    _write_table(study, line, paths[0])
    if any(s.seeds > 1 for s in settings(ran(study))[:1]):
        paths.append(folder / "settings.csv")
        _write_settings(study, line, paths[-1])
    paths[1].write_text(yaml.safe_dump(_results(study, line), sort_keys=False))
    write_summary(study, config, paths[2])
    if config.search.summary is not None:
        path = Path(config.search.summary)
        write_summary(study, config, path)
        write_history(study, path.with_suffix(".csv"))
    return paths


def write_summary(study: Study, config: Config, path: Path) -> None:
    """The outcome without times and paths: the same study on the same machine gives the same bytes, as DVC wants it."""
    best = best_settings(ran(study), study.direction)
    summary = {
        "study": study.study_name,
        "metric": config.metric,
        "best_value": best[0].value if best else None,
        "best_params": best[0].params if best else None,
        **_of_seeds(best),
        **{f"n_{state}": count for state, count in counts(ran(study)).items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=2) + "\n")


def write_history(study: Study, path: Path) -> None:
    """The value of each complete trial and the best setting until then, by trial number: what DVC plots."""
    standings = Standings(study.direction)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial", "value", "best"])
        for trial in ran(study):
            standings.add(trial)
            if trial.state == TrialState.COMPLETE:
                best = standings.best[0].value if standings.best else None
                writer.writerow([trial.number, trial.value, best])


def _results(study: Study, line: CommandLine) -> dict[str, Any]:
    best = best_settings(ran(study), study.direction)
    trial = best[0].trial if best else None
    return {  # the first three as Hydra's Optuna plugin names them
        "name": "ridgeline/optuna",
        "best_params": best[0].params if best else None,
        "best_value": best[0].value if best else None,
        **_of_seeds(best),
        "best_trial": trial.number if trial else None,
        "study": study.study_name,
        "counts": counts(ran(study)),
        "command": line.retrain(trial.params) if trial else None,
    }


def _of_seeds(best: Sequence[Setting]) -> dict[str, Any]:
    """What there is to say of the best setting where seeds are swept: its value is a mean."""
    if not best or best[0].seeds == 1:
        return {}
    return {"best_deviation": best[0].deviation, "best_seeds": best[0].seeds}


def _write_settings(study: Study, line: CommandLine, path: Path) -> None:
    """One row a setting, the ranked ones first, the others with the reason why they have no rank."""
    every = settings(ran(study))
    ranked = best_settings(ran(study), study.direction)
    keys = [d.key for d in line.space if d.key in every[0].params]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["rank", "mean", "deviation", "seeds", *keys, "trials", "reason"])
        for rank, s in enumerate([*ranked, *(s for s in every if not s.is_complete)], start=1):
            of_all = [rank, s.value, s.deviation] if s.is_complete else [None] * 3
            params = [s.params[key] for key in keys]
            done = sum(t.state == TrialState.COMPLETE for t in s.trials)
            numbers = " ".join(str(t.number) for t in s.trials)
            reason = None if s.is_complete else f"{done} of {s.seeds} seeds are complete"
            writer.writerow([*of_all, done, *params, numbers, reason])


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
            measured, values = found.get("metrics", {}), values_of(t.params)
            writer.writerow(
                [t.number, state_of(t), t.value]
                + [values.get(name) for name in params]
                + [measured.get(name) for name in metrics]
                + [*(found.get(name) for name in COLUMNS), job_folder(t.number)]
            )
